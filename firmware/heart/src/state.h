/*
 * heart's state record: how the device went down, when that was, how often it failed to come up, and a seed for the
 * kernel's random pool. One sector; two copies (layout.h) written in turn, so that a torn write leaves the older one.
 * Little-endian:
 *
 *   offset size
 *        0    8  magic "HEARTSTA"
 *        8    4  version, 1
 *       12    4  CRC-32 of bytes 16..511
 *       16    8  sequence; the copy with the greater one counts; copy = sequence mod 2
 *       24    8  last known time, seconds since 1970
 *       32    4  phase: 1 running, 2 down (reason says how), 3 petting stopped on purpose
 *       36    1  failures: runs in a row that ended by the watchdog or by heart's giving up, and were never ready
 *       37    1  bits: 1 this run was ready, 2 heart gave up, 4 the other slot was tried since a run was last ready
 *       38    2  0
 *       40   64  seed
 *      104  200  reason, UTF-8, NUL padded (at most 199 bytes)
 *      304  208  0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum phase { PHASE_RUNNING = 1, PHASE_DOWN = 2, PHASE_STARVED = 3 };

enum { RUN_READY = 1, RUN_GAVE_UP = 2, OTHER_SLOT_TRIED = 4 };

#define SEED_SIZE 64
#define REASON_SIZE 200

struct state {
  uint64_t sequence;
  int64_t time;
  enum phase phase;
  uint8_t failures;
  uint8_t bits;
  uint8_t seed[SEED_SIZE];
  char reason[REASON_SIZE];
};

/* The newest valid copy; false (and a zeroed state) when neither is. */
bool state_read(int fd, struct state *state);

/* Writes over the older copy and waits until it is on the disk; counts `sequence` up. False when the disk refuses. */
bool state_write(int fd, struct state *state);

/* The reset cause that a boot shows, from what the last run left (`known` false: nothing) and the hardware's word. */
void state_cause(const struct state *state, bool known, bool by_watchdog, char *cause, unsigned size);

/* Begins a run: counts the last one when it has failed, and says whether it has. */
bool state_begin(struct state *state, bool by_watchdog);
