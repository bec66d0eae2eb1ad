/* The other slot: booting it once, and whether heart may do so by itself when the one that runs does not come up. */
#pragma once

#include <stdbool.h>

#include "record.h"

/* So many failures in a row, and no more. */
#define FAILURES_MAX 3

#define VARIABLE_MAX 256

/* A variable of the update's environment (src/update/record.ts) on an open disk; false when it is not there. */
bool environment_value(int disk, const char *key, char value[VARIABLE_MAX]);

/* Whether this slot's system runs on trial, as the environment on that disk (by its node) has it now. */
bool on_trial(const char *disk, const char *slot);

/* The next boot, and only that one, is from `slot`. NULL, or why it cannot be. */
const char *one_shot_arm(char slot);

/*
 * When the last runs have failed, too many in a row: boots the other slot, once, if it was ever validated and is not
 * too old. Otherwise returns why that is no way out, or NULL when none is needed.
 */
const char *last_resort(struct record *record, char running);

/* A slot that cannot be entered has no rescue: arms the other one, if that has been tried and is not next anyway. */
void borrow_rescue(const struct record *record, char running);
