/*
 * Keeps one program running: beats over its own socket, kill when they stop, restarts with back-off, and a limit.
 * hearthd on a device and `heart -- PROGRAM` elsewhere are run by this. It owns no loop: the caller polls
 * `link.in`, tells of deaths, and calls supervise_tick at `due`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"
#include "util.h"

/* Restarts come at once, then after 1, 2, 4, 8 s; one more within the window is too many. */
#define RESTARTS_MAX 5
#define RESTART_WINDOW_MS 120000

struct restarts {
  int64_t at[RESTARTS_MAX];
  int count;
};

/* Counts a restart at `now`: milliseconds to wait before it, or -1 when there were too many. */
int restart_delay(struct restarts *restarts, int64_t now);

enum supervised_phase { SUPERVISED_WAITING, SUPERVISED_RUNNING, SUPERVISED_KILLING, SUPERVISED_ENDED };

struct supervised {
  /* Set by the caller. */
  const char *name;
  char *const *argv;
  int beat_seconds;
  int first_beat_ms;        /* how long the first beat may take; 0: beats are demanded only after the first */
  bool until_success;       /* status 0, an end after SHUT_DOWN, and 126 and 127 are final, not reasons to restart */
  void (*in_child)(void);   /* after fork, before exec; may be NULL */
  void (*after_death)(void);
  bool (*only_once)(void);  /* asked at its death: it is not started again; may be NULL */
  /* Kept by supervise.c. */
  enum supervised_phase phase;
  pid_t pid;                /* 0: not running */
  int64_t due;              /* start, kill or give up by then */
  int64_t heard;            /* when it was last heard of */
  bool shut_down;           /* it said SHUT_DOWN: no more beats, and its end is orderly */
  bool stopping;            /* supervise_stop was called: its end is final */
  int status;               /* of waitpid(2), of the last end */
  char end[64];             /* the same in words: "ended with status 1" */
  const char *gave_up;      /* why it will not be started again; NULL while it will */
  struct restarts restarts;
  struct link link;         /* link.in is -1 while there is nothing to poll */
};

/* Starts it at that time; also again, after it gave up. */
void supervise_begin(struct supervised *s, int64_t at);
void supervise_tick(struct supervised *s, int64_t now);
void supervise_readable(struct supervised *s, int64_t now);
/* waitpid(2) gave `status` for s->pid. */
void supervise_died(struct supervised *s, int status, int64_t now);
/* Asks it to end, by signal, and lets it stay ended. */
void supervise_stop(struct supervised *s, int signal);
