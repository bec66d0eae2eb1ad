#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define DEFAULT_BEAT_SECONDS 10
#define REBOOT_AFTER_FAILURE_MS 5000

static void value_or(const char *text, const char *key, char *value, size_t size, const char *otherwise) {
  if (!find_value(text, key, value, size)) snprintf(value, size, "%s", otherwise);
}

void boot_read(struct boot *boot) {
  char line[4096] = "", beat[16];
  long long seconds;
  read_text("/proc/cmdline", line, sizeof line);
  value_or(line, "hearth.target", boot->target, sizeof boot->target, "unknown");
  value_or(line, "hearth.uuid", boot->uuid, sizeof boot->uuid, "");
  value_or(line, "hearth.slot", boot->slot, sizeof boot->slot, "");
  value_or(line, "hearth.console", boot->console, sizeof boot->console, "log");
  value_or(line, "hearth.shell", boot->shell, sizeof boot->shell, "");
  value_or(line, "hearth.beat", beat, sizeof beat, "");
  boot->beat_seconds = parse_number(beat, 1, &seconds) && seconds <= 3600 ? (int)seconds : DEFAULT_BEAT_SECONDS;
}

void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *options) {
  mkdir(target, 0755);
  /* EBUSY: stage 1, or the kernel, has already mounted it. */
  if (mount(source, target, type, flags, options) < 0 && errno != EBUSY)
    say("cannot mount %s: %s", target, strerror(errno));
}

void open_standard_files(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}

void boot_failed(const char *why) {
  say("this firmware cannot start: %s; rebooting in %d s", why, REBOOT_AFTER_FAILURE_MS / 1000);
  poll(NULL, 0, REBOOT_AFTER_FAILURE_MS);
  sync();
  reboot(RB_AUTOBOOT);
  /* Without the right to reboot, only the watchdog can: nothing pets it here. */
  for (;;) pause();
}
