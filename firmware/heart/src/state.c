#include "state.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"
#include "util.h"

static const char magic[8] = {'H', 'E', 'A', 'R', 'T', 'S', 'T', 'A'};
#define VERSION 1

static const off_t offsets[2] = {HEART_STATE_OFFSET_0, HEART_STATE_OFFSET_1};

static void put(uint8_t *p, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(value >> (8 * i));
}

static bool parse(const uint8_t *s, struct state *state) {
  if (memcmp(s, magic, sizeof magic) != 0 || le32(s + 8) != VERSION) return false;
  if (le32(s + 12) != crc32(s + 16, HEART_STATE_SIZE - 16)) return false;
  state->sequence = le64(s + 16);
  state->time = (int64_t)le64(s + 24);
  state->phase = (enum phase)le32(s + 32);
  state->failures = s[36];
  state->bits = s[37];
  memcpy(state->seed, s + 40, SEED_SIZE);
  memcpy(state->reason, s + 104, REASON_SIZE);
  state->reason[REASON_SIZE - 1] = 0;
  return true;
}

bool state_read(int fd, struct state *state) {
  uint8_t sector[HEART_STATE_SIZE];
  bool known = false;
  memset(state, 0, sizeof *state);
  for (int i = 0; i < 2; i++) {
    struct state copy;
    if (pread(fd, sector, sizeof sector, offsets[i]) != sizeof sector || !parse(sector, &copy)) continue;
    if (!known || copy.sequence > state->sequence) *state = copy;
    known = true;
  }
  return known;
}

bool state_write(int fd, struct state *state) {
  uint8_t s[HEART_STATE_SIZE] = {0};
  state->sequence++;
  memcpy(s, magic, sizeof magic);
  put(s + 8, VERSION, 4);
  put(s + 16, state->sequence, 8);
  put(s + 24, (uint64_t)state->time, 8);
  put(s + 32, state->phase, 4);
  s[36] = state->failures;
  s[37] = state->bits;
  memcpy(s + 40, state->seed, SEED_SIZE);
  memcpy(s + 104, state->reason, strnlen(state->reason, REASON_SIZE - 1));
  put(s + 12, crc32(s + 16, sizeof s - 16), 4);
  return pwrite(fd, s, sizeof s, offsets[state->sequence & 1]) == sizeof s && fdatasync(fd) == 0;
}

void state_cause(const struct state *state, bool known, bool by_watchdog, char *cause, unsigned size) {
  if (!known) {
    snprintf(cause, size, "first-boot");
  } else if (state->phase == PHASE_DOWN) {
    /* Goes before the hardware's word: a Raspberry Pi reboots by way of its watchdog. */
    snprintf(cause, size, "%s", state->reason);
  } else if (by_watchdog || state->phase == PHASE_STARVED) {
    snprintf(cause, size, "watchdog");
  } else {
    snprintf(cause, size, "unknown (power loss, reset button or watchdog)");
  }
}

bool state_begin(struct state *state, bool by_watchdog) {
  /* A power cut is nobody's fault; where the hardware cannot tell it from the watchdog it does not count either. */
  bool reset = state->phase == PHASE_STARVED || (state->phase == PHASE_RUNNING && by_watchdog);
  bool gave_up = state->phase == PHASE_DOWN && (state->bits & RUN_GAVE_UP);
  bool failed = (reset || gave_up) && !(state->bits & RUN_READY);
  if (failed && state->failures < UINT8_MAX) state->failures++;
  state->bits &= OTHER_SLOT_TRIED;
  return failed;
}
