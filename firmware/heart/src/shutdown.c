#include "shutdown.h"

#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "cgroup.h"
#include "util.h"

#define REASON_FILE "/run/hearth/reason"
#define HEARTHD_WITHIN_MS 20000
#define TERM_WITHIN_MS 2000
#define KILL_WITHIN_MS 5000
#define UNMOUNT_WITHIN_MS 60000
#define MOUNTS_MAX 32

static const char *verb(unsigned how) {
  return how == RB_POWER_OFF ? "poweroff" : how == RB_HALT_SYSTEM ? "halt" : "reboot";
}

void shutdown_begin(struct shutdown *down, unsigned how, const char *otherwise, struct supervised *hearthd,
                    int64_t now) {
  char why[REASON_SIZE] = "";
  if (down->step != SHUTDOWN_NOT_YET) return;
  if (read_text(REASON_FILE, why, sizeof why) > 0) why[strcspn(why, "\n")] = 0;
  snprintf(down->reason, sizeof down->reason, "%s: %.*s", verb(how), REASON_SIZE - 16, why[0] ? why : otherwise);
  say("going down: %s", down->reason);
  down->how = how;
  down->step = SHUTDOWN_HEARTHD;
  down->due = now + HEARTHD_WITHIN_MS;
  supervise_stop(hearthd, SIGTERM);
}

/* File systems on disks, last mounted first. What is busy becomes read-only, which writes it out as well. */
static void unmount_disks(void) {
  static char targets[MOUNTS_MAX][256];
  int count = 0;
  FILE *mounts = setmntent("/proc/mounts", "r");
  for (struct mntent *m; mounts && count < MOUNTS_MAX && (m = getmntent(mounts));)
    if (strncmp(m->mnt_fsname, "/dev/", 5) == 0 && strcmp(m->mnt_dir, "/") != 0)
      snprintf(targets[count++], sizeof targets[0], "%s", m->mnt_dir);
  sync();
  while (count-- > 0) {
    if (umount2(targets[count], 0) == 0) continue;
    say("%s is busy: making it read-only", targets[count]);
    mount(NULL, targets[count], NULL, MS_REMOUNT | MS_RDONLY, NULL);
  }
  sync();
}

static void kill_all(struct shutdown *down, int64_t now) {
  kill(-1, SIGKILL);
  down->step = SHUTDOWN_KILL;
  down->due = now + KILL_WITHIN_MS;
}

static void unmount(struct shutdown *down, int64_t now) {
  down->step = SHUTDOWN_UNMOUNT;
  down->due = now + UNMOUNT_WITHIN_MS;
  /* A process of its own, as writing out a slow card may take longer than the watchdog waits. */
  down->unmounter = fork();
  if (down->unmounter == 0) {
    unmount_disks();
    _exit(0);
  }
}

static void advance(struct shutdown *down, const struct supervised *hearthd, bool alone, int64_t now) {
  bool late = now >= down->due;
  if (down->step == SHUTDOWN_HEARTHD && (hearthd->pid == 0 || late)) {
    if (late) say("hearthd did not stop within %d s", HEARTHD_WITHIN_MS / 1000);
    cgroup_kill("app");
    cgroup_kill("net");
    cgroup_kill("ssh");
    cgroup_kill("hearthd");
    kill(-1, SIGTERM);
    /* A shell on a terminal ignores SIGTERM: it ends when its terminal is gone. */
    kill(-1, SIGHUP);
    /* A stopped process takes them only when it runs again. */
    kill(-1, SIGCONT);
    down->step = SHUTDOWN_TERM;
    down->due = now + TERM_WITHIN_MS;
  } else if (down->step == SHUTDOWN_TERM && (alone || late)) {
    if (late) say("some programs did not end within %d s: killing them", TERM_WITHIN_MS / 1000);
    kill_all(down, now);
  } else if (down->step == SHUTDOWN_KILL && (alone || late)) {
    if (late) say("some programs cannot be killed");
    unmount(down, now);
  } else if (down->step == SHUTDOWN_UNMOUNT && (down->unmounter <= 0 || late)) {
    if (late) say("unmounting took too long");
    down->step = SHUTDOWN_READY;
  }
}

void shutdown_tick(struct shutdown *down, const struct supervised *hearthd, bool alone, int64_t now) {
  enum shutdown_step before;
  /* Until a step has something to wait for: with nobody left, no death would wake the loop for the next. */
  do {
    before = down->step;
    advance(down, hearthd, alone, now);
  } while (down->step != before);
}

void shutdown_died(struct shutdown *down, pid_t pid) {
  if (pid == down->unmounter) down->unmounter = 0;
}
