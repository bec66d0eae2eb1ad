#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define RESTART_MS 1000

void shell_init(struct shell *shell, const char *port, int64_t now) {
  snprintf(shell->port, sizeof shell->port, "/dev/%s", port);
  shell->pid = 0;
  shell->due = port[0] ? now : NEVER;
}

_Noreturn static void become(const char *port) {
  char *const argv[] = {"sh", "-l", NULL};
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  /* O_NONBLOCK: without it, open waits for a carrier that a three-wire serial line never has. */
  int fd = open(port, O_RDWR | O_NONBLOCK);
  if (fd < 0) {
    say("no shell on %s: %s", port, strerror(errno));
    _exit(1);
  }
  fcntl(fd, F_SETFL, 0);
  ioctl(fd, TIOCSCTTY, 1);
  for (int i = 0; i <= STDERR_FILENO; i++) dup2(fd, i);
  if (fd > STDERR_FILENO) close(fd);
  setenv("TERM", "vt100", 0);
  if (chdir("/") < 0) _exit(1);
  execv("/bin/busybox", argv);
  say("no shell on %s: cannot execute /bin/busybox: %s", port, strerror(errno));
  _exit(127);
}

void shell_tick(struct shell *shell, int64_t now) {
  if (now < shell->due) return;
  shell->due = NEVER;
  shell->pid = fork();
  if (shell->pid == 0) become(shell->port);
  if (shell->pid < 0) shell_died(shell, now);
}

void shell_died(struct shell *shell, int64_t now) {
  shell->pid = 0;
  shell->due = now + RESTART_MS;
}
