/* Stage 2, PID 1 of the real root: sets the system up, then one loop that pets, supervises, reaps and goes down. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot.h"
#include "cgroup.h"
#include "fallback.h"
#include "record.h"
#include "services.h"
#include "shutdown.h"
#include "supervise.h"
#include "util.h"
#include "watchdog.h"

#define HOUR_MS 3600000
/* Node has to start and read its bundle from a slow card before it can beat. */
#define FIRST_BEAT_MS 60000
/* In rescue: a reboot would change nothing any more, and whoever looks after the device needs it up. */
#define RESCUE_RESTART_MS 60000
#define RESCUE_SCRIPT "/usr/lib/hearth/rescue.sh"
/* hearthd makes it when the app was healthy once. */
#define READY_FILE "/run/hearth/ready"
/* `heart test-watchdog` sends this to PID 1. */
#define SIGNAL_STARVE SIGQUIT

static struct boot boot;
static struct watchdog dog;
static struct record record;
static struct shutdown down;
static struct supervised hearthd;
static char slot[2];
static int64_t next_record, next_service;
static pid_t rescuer;
static const char *rescue; /* why there is no way out of it; NULL: it is none */
static bool starving;

static void hearthd_child(void) {
  setsid();
  cgroup_enter("hearthd");
  int fd = open(strcmp(boot.console, "none") == 0 ? "/dev/null" : "/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return;
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
}

/* On trial that decides: the system before it is known to be good. In rescue somebody is to get in without it first. */
static bool hearthd_only_once(void) {
  return (rescue && !(record.state.bits & RUN_READY)) || on_trial(record.disk, slot);
}

/* What hearthd had started has lost its parent; the next hearthd starts it anew. Network and SSH live on. */
static void hearthd_dead(void) {
  cgroup_kill("app");
  cgroup_kill("hearthd");
}

static void bring_up_loopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) say("cannot bring lo up: %s", strerror(errno));
  if (fd >= 0) close(fd);
}

static void set_up_system(void) {
  char name[65];
  mount_at("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,gid=5,ptmxmode=666");
  mount_at("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  if (access("/sys/fs/pstore", F_OK) == 0)
    mount_at("pstore", "/sys/fs/pstore", "pstore", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  cgroup_setup();
  bring_up_loopback();
  if (read_text("/etc/hostname", name, sizeof name) > 0) {
    size_t length = strcspn(name, "\n");
    if (length && sethostname(name, length) < 0) say("cannot set the host name: %s", strerror(errno));
  }
  /* An unprivileged app may listen on port 80: no other user is to be guarded from it. SSH's own port is not for it. */
  write_text("/proc/sys/net/ipv4/ip_unprivileged_port_start", 0, "23");
  /* Ctrl-Alt-Del becomes SIGINT to us. */
  reboot(RB_DISABLE_CAD);
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("HOME", "/root", 1);
}

/* While one core starts hearthd's Node, another fetches what comes next: the rest of Node, and /data's file system. */
static void warm_up(void) {
  if (fork() != 0) return;
  if (fork() == 0) execl("/usr/sbin/modprobe", "modprobe", "-q", "ext4", (char *)NULL);
  int fd = open("/usr/bin/node", O_RDONLY | O_CLOEXEC);
  for (off_t at = 0; at < 1 << 27; at += 1 << 17) posix_fadvise(fd, at, 1 << 17, POSIX_FADV_WILLNEED);
  _exit(0);
}

/* Network and SSH without hearthd. What is there already stays, and a hearthd that comes back takes it over. */
static void open_rescue(void) {
  /* The one of a minute ago may hang on a disk that dies. */
  if (rescuer > 0 || (rescuer = fork()) != 0) return;
  signals_default();
  setsid();
  cgroup_enter("net");
  execl(RESCUE_SCRIPT, RESCUE_SCRIPT, (char *)NULL);
  say("cannot execute " RESCUE_SCRIPT ": %s", strerror(errno));
  _exit(127);
}

static void begin_run(void) {
  char text[2048] = "", disk[64] = "", cause[REASON_SIZE], line[2 * REASON_SIZE];
  read_text(BOOT_FILE, text, sizeof text);
  find_value(text, "DISK", disk, sizeof disk);
  find_value(text, "SLOT", slot, sizeof slot);
  record_boot(&record, disk, dog.caused_reset, cause, sizeof cause);
  say("last reset: %s", cause);
  rescue = last_resort(&record, slot[0]);
  if (rescue) say("rescue: %d boots in a row have failed, and %s; staying up", record.state.failures, rescue);
  snprintf(line, sizeof line, "RESET_CAUSE=%s\n%s%s%s", cause, rescue ? "RESCUE=" : "", rescue ? rescue : "",
           rescue ? "\n" : "");
  write_text(BOOT_FILE, O_APPEND, line);
}

/* A run that was ready once has not failed, however it ends. */
static void note_ready(void) {
  if ((record.state.bits & RUN_READY) || access(READY_FILE, F_OK) < 0) return;
  record.state.bits = RUN_READY;
  record.state.failures = 0;
  record_write_aside(&record);
}

static void reap(int64_t now) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == hearthd.pid) supervise_died(&hearthd, status, now);
    if (pid == rescuer) rescuer = 0;
    if (down.step == SHUTDOWN_NOT_YET) services_died(pid, now);
    shutdown_died(&down, pid);
  }
}

/* Stops petting, and says so in the record: not all hardware tells that it was the watchdog. */
static void starve(void) {
  say(dog.fd < 0 ? "asked to stop petting, but there is no watchdog" : "petting has stopped: waiting for the watchdog");
  if (dog.fd < 0) return;
  starving = true;
  record_write(&record, PHASE_STARVED, "");
}

static void obey(const struct signalfd_siginfo *info, int64_t now) {
  static const struct { uint32_t signal; unsigned how; } ways_down[] = {
      {SIGTERM, RB_AUTOBOOT}, {SIGINT, RB_AUTOBOOT}, {SIGUSR1, RB_HALT_SYSTEM}, {SIGUSR2, RB_POWER_OFF}};
  char why[64];
  snprintf(why, sizeof why, "signal %u from process %u", info->ssi_signo, info->ssi_pid);
  if (info->ssi_signo == SIGCHLD) reap(now);
  if (info->ssi_signo == SIGNAL_STARVE) starve();
  for (size_t i = 0; i < sizeof ways_down / sizeof *ways_down; i++)
    if (info->ssi_signo == ways_down[i].signal) shutdown_begin(&down, ways_down[i].how, why, &hearthd, now);
}

static bool alone(void) {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

_Noreturn static void leave(void) {
  record_write(&record, PHASE_DOWN, down.reason);
  say("down: %s", down.reason);
  reboot((int)down.how);
  boot_failed("the kernel refuses to go down");
}

static void tick(int64_t now) {
  if (!starving) watchdog_tick(&dog, now);
  supervise_tick(&hearthd, now);
  note_ready();
  if (hearthd.gave_up && rescue && hearthd.pid == 0 && down.step == SHUTDOWN_NOT_YET) {
    say("rescue: hearthd is started again in %d s", RESCUE_RESTART_MS / 1000);
    supervise_begin(&hearthd, now + RESCUE_RESTART_MS);
    open_rescue();
  } else if (hearthd.gave_up && down.step == SHUTDOWN_NOT_YET) {
    char why[REASON_SIZE];
    record.state.bits |= RUN_GAVE_UP;
    snprintf(why, sizeof why, "hearthd %s", hearthd.gave_up);
    shutdown_begin(&down, RB_AUTOBOOT, why, &hearthd, now);
  }
  if (down.step == SHUTDOWN_NOT_YET) {
    next_service = services_tick(now);
    if (now >= next_record) {
      next_record = now + HOUR_MS;
      record_write_aside(&record);
    }
  } else {
    shutdown_tick(&down, &hearthd, alone(), now);
    if (down.step == SHUTDOWN_READY) leave();
  }
}

static int64_t next_due(void) {
  int64_t due = earlier(starving ? NEVER : dog.due, hearthd.due);
  return earlier(due, down.step == SHUTDOWN_NOT_YET ? earlier(next_service, next_record) : down.due);
}

_Noreturn static void loop(int signals) {
  for (;;) {
    int64_t now = now_ms();
    tick(now);
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = hearthd.link.in, .events = POLLIN}};
    poll(fds, 2, poll_timeout(next_due(), now));
    now = now_ms();
    if (fds[1].revents) supervise_readable(&hearthd, now);
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info) obey(&info, now);
  }
}

int stage2(void) {
  static char *const argv[] = {"/usr/bin/node", "--disable-warning=ExperimentalWarning", "/usr/lib/hearth/hearthd.mjs",
                               NULL};
  int signals = signals_descriptor((const int[]){SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGNAL_STARVE, 0});
  open_standard_files();
  boot_read(&boot);
  log_to_device(strcmp(boot.console, "none") != 0);
  watchdog_adopt(&dog, getenv(WATCHDOG_FD_VARIABLE), WATCHDOG_PATH, now_ms());
  unsetenv(WATCHDOG_FD_VARIABLE);
  if (signals < 0) boot_failed("no signalfd");
  set_up_system();
  begin_run();
  if (access("/etc/hearth/example-key", F_OK) == 0)
    say("WARNING: this firmware is signed with Hearth's public example key: anyone can sign for it");
  int64_t now = now_ms();
  next_record = now + HOUR_MS;
  services_begin(strcmp(boot.console, "shell") == 0 ? boot.shell : "", now);
  hearthd = (struct supervised){.name = "hearthd",
                                .argv = argv,
                                .beat_seconds = boot.beat_seconds,
                                .first_beat_ms = FIRST_BEAT_MS,
                                .in_child = hearthd_child,
                                .after_death = hearthd_dead,
                                .only_once = hearthd_only_once};
  supervise_begin(&hearthd, now);
  warm_up();
  loop(signals);
}
