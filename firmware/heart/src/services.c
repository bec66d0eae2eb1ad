#include "services.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cgroup.h"
#include "util.h"

/* Before the first restart; twice as long before each further one of a program that ends at once. */
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 32000
#define AT_ONCE_MS 5000
#define LOOK_EVERY_MS 1000

/* hearthd puts them there, the host key last: docs/device.md. */
#define SSH_FOLDER "/run/hearth/ssh"
#define HOST_KEY SSH_FOLDER "/host_key"

static char shell_path[40]; /* /dev/ttyS1 */

/* Never in a production build. */
static void become_shell(void) {
  /* O_NONBLOCK: without it, open waits for a carrier that a three-wire serial line never has. */
  int fd = open(shell_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  fcntl(fd, F_SETFL, 0);
  ioctl(fd, TIOCSCTTY, 1);
  for (int i = 0; i <= STDERR_FILENO; i++) dup2(fd, i);
  setenv("TERM", "vt100", 0);
  if (chdir("/") == 0) execl("/bin/busybox", "sh", "-l", (char *)NULL);
}

/* Only keys open it, and only heart attach is behind it: no forwarding. What it has to say goes to the kernel's log. */
static void become_ssh_daemon(void) {
  /* A window of 1 MiB: an upload is one stream, over slow lines too. A client that has vanished is noticed in 45 s. */
  static char *const argv[] = {"dropbear", "-F", "-E", "-s", "-j", "-k", "-p", "22", "-W", "1048576", "-K", "15",
                               "-r", HOST_KEY, "-D", SSH_FOLDER, "-c", "/sbin/heart attach", NULL};
  cgroup_enter("ssh");
  int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) dup2(fd, STDERR_FILENO);
  execv("/usr/sbin/dropbear", argv);
}

static struct service {
  const char *name;
  void (*become)(void); /* in the child; returns only when there is nothing to execute, with errno */
  const char *needs;    /* a file without which it is not started yet */
  pid_t pid;            /* 0: not running */
  int64_t due;          /* when to start it, or look again; NEVER while it runs, and for a shell that is not wanted */
  int64_t started, pause_ms;
} services[] = {
    {.name = "the shell", .become = become_shell, .needs = shell_path, .due = NEVER},
    {.name = "the SSH daemon", .become = become_ssh_daemon, .needs = HOST_KEY},
};
#define COUNT (sizeof services / sizeof *services)

void services_begin(const char *shell_port, int64_t now) {
  snprintf(shell_path, sizeof shell_path, "/dev/%s", shell_port);
  if (shell_port[0]) services[0].due = now;
}

static void start(struct service *s, int64_t now) {
  s->due = NEVER;
  s->started = now;
  s->pid = fork();
  if (s->pid < 0) services_died(s->pid, now);
  if (s->pid != 0) return;
  signals_default();
  setsid();
  s->become();
  say("cannot start %s: %s", s->name, strerror(errno));
  _exit(127);
}

int64_t services_tick(int64_t now) {
  int64_t due = NEVER;
  for (struct service *s = services; s < services + COUNT; s++) {
    if (now >= s->due) {
      if (access(s->needs, F_OK) < 0) s->due = now + LOOK_EVERY_MS;
      else start(s, now);
    }
    due = earlier(due, s->due);
  }
  return due;
}

void services_died(pid_t pid, int64_t now) {
  for (struct service *s = services; s < services + COUNT; s++) {
    if (s->pid != pid) continue;
    s->pause_ms = now - s->started > AT_ONCE_MS || !s->pause_ms ? PAUSE_MS : s->pause_ms * 2;
    if (s->pause_ms > PAUSE_MAX_MS) s->pause_ms = PAUSE_MAX_MS;
    say("%s has ended: starting it again in %d s", s->name, (int)(s->pause_ms / 1000));
    s->pid = 0;
    s->due = now + s->pause_ms;
  }
}
