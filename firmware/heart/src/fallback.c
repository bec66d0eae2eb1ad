#include "fallback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "boot.h"
#include "efivar.h"
#include "layout.h"
#include "util.h"

/* U-Boot's redundant form: CRC-32 of the data, a counter, then NAME=VALUE texts up to an empty one. */
#define ENV_COUNTER 4
#define ENV_DATA 5
/* On a Raspberry Pi: firmware/tryboot. Its reboot notifier asks the board's firmware for the other slot. */
#define TRYBOOT "/sys/module/hearth_tryboot/parameters/arm"

static bool read_copy(int disk, off_t offset, uint8_t *copy) {
  return pread(disk, copy, ENV_SIZE, offset) == ENV_SIZE && crc32(copy + ENV_DATA, ENV_SIZE - ENV_DATA) == le32(copy);
}

bool environment_value(int disk, const char *key, char value[VARIABLE_MAX]) {
  static uint8_t copies[2][ENV_SIZE];
  bool first = read_copy(disk, ENV_OFFSET_0, copies[0]), second = read_copy(disk, ENV_OFFSET_1, copies[1]);
  uint8_t a = copies[0][ENV_COUNTER], b = copies[1][ENV_COUNTER];
  bool wrapped = (a == 0 && b == 255) || (a == 255 && b == 0);
  if (!first && !second) return false;
  const char *text = (const char *)copies[second && (!first || (wrapped ? b == 0 : b > a))] + ENV_DATA;
  const char *const end = text + ENV_SIZE - ENV_DATA;
  size_t length = strlen(key);
  for (size_t n; text < end && (n = strnlen(text, (size_t)(end - text))) > 0; text += n + 1) {
    if (n <= length || n - length > VARIABLE_MAX || text[length] != '=' || memcmp(text, key, length) != 0) continue;
    memcpy(value, text + length + 1, n - length - 1);
    value[n - length - 1] = 0;
    return true;
  }
  return false;
}

const char *one_shot_arm(char slot) {
  char entry[] = "slot-?.efi";
  entry[5] = slot;
  if (access(EFIVARS, F_OK) == 0)
    return efi_set_loader_variable("LoaderEntryOneShot", entry) ? NULL : strerror(errno);
  /* That is always the slot that autoboot.txt does not prefer. */
  return write_text(TRYBOOT, 0, "1") == 0 ? NULL : "neither " EFIVARS " nor " TRYBOOT " can be written";
}

static bool remembered(const char *disk, const char *key, const char *wanted) {
  char value[VARIABLE_MAX];
  int fd = open(disk, O_RDONLY | O_CLOEXEC);
  bool so = fd >= 0 && environment_value(fd, key, value) && strcmp(value, wanted) == 0;
  if (fd >= 0) close(fd);
  return so;
}

bool on_trial(const char *disk, const char *slot) {
  return remembered(disk, "update.state", "trial") && remembered(disk, "update.into", slot);
}

static const char *arm_other(const char *disk, char other) {
  char key[] = "?.fallback";
  key[0] = other;
  return remembered(disk, key, "1") ? one_shot_arm(other) : "the other slot was never validated, or is too old";
}

const char *last_resort(struct record *record, char running) {
  char other = running == 'a' ? 'b' : 'a', reason[REASON_SIZE];
  if (!record->failed || record->state.failures < FAILURES_MAX) return NULL;
  if (record->state.bits & OTHER_SLOT_TRIED) return "the other slot has been tried";
  const char *why_not = arm_other(record->disk, other);
  if (why_not) return why_not;
  snprintf(reason, sizeof reason, "reboot: slot %c has failed %d times", running, record->state.failures);
  say("slot %c has failed %d times: slot %c is tried", running, record->state.failures, other);
  record->state.bits |= OTHER_SLOT_TRIED;
  record_write(record, PHASE_DOWN, reason);
  reboot(RB_AUTOBOOT);
  boot_failed("the kernel refuses to reboot");
}

void borrow_rescue(const struct record *record, char running) {
  char other[] = {running == 'a' ? 'b' : 'a', 0};
  /* The preferred slot is next anyway; and what a Raspberry Pi arms is always the one that is not preferred. */
  if ((record->state.bits & OTHER_SLOT_TRIED) && !remembered(record->disk, "active", other)) one_shot_arm(other[0]);
}
