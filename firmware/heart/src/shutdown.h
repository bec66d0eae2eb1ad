/*
 * The way down, as steps that never block: the caller's loop goes on petting and reaping. Every step has a deadline;
 * when one of the last cannot end, the loop stops petting and the watchdog ends it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state.h"
#include "supervise.h"

enum shutdown_step {
  SHUTDOWN_NOT_YET,
  SHUTDOWN_HEARTHD,
  SHUTDOWN_TERM,
  SHUTDOWN_KILL,
  SHUTDOWN_UNMOUNT,
  SHUTDOWN_READY
};

struct shutdown {
  enum shutdown_step step;
  unsigned how;             /* for reboot(2): RB_AUTOBOOT, RB_HALT_SYSTEM or RB_POWER_OFF */
  int64_t due;
  pid_t unmounter;
  char reason[REASON_SIZE]; /* "reboot: WHY" */
};

/* Starts it, once: a second call changes nothing. `otherwise` is the reason when /run/hearth/reason gives none. */
void shutdown_begin(struct shutdown *down, unsigned how, const char *otherwise, struct supervised *hearthd,
                    int64_t now);

/* Goes on as far as it can. At SHUTDOWN_READY only the state record and reboot(2) are left to do. */
void shutdown_tick(struct shutdown *down, const struct supervised *hearthd, bool alone, int64_t now);

/* A child has died; it may have been the one that unmounts. */
void shutdown_died(struct shutdown *down, pid_t pid);
