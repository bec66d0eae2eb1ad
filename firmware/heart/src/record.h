/* The state record in the device's life: read and renewed at boot, hourly, on the way down. state.h has the bytes. */
#pragma once

#include "state.h"

struct record {
  char disk[64]; /* "" when the boot file names none: then nothing is kept */
  struct state state;
  bool failed; /* the last run ended by itself before it was ready */
};

/*
 * At boot: reads the record, mixes its seed into the kernel's pool, moves the clock up to the last known time and
 * the firmware's build time, and writes "running" with a new seed. Gives the reset cause.
 */
void record_boot(struct record *record, const char *disk, bool by_watchdog, char *cause, unsigned size);

/* Writes the record with the present time, a new seed and this phase and reason. Waits for the disk. */
void record_write(struct record *record, enum phase phase, const char *reason);

/* The same, "running", in a process of its own: PID 1 must not wait for a disk while the device works. */
void record_write_aside(struct record *record);
