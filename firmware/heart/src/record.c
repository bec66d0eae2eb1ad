#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4 /* Linux 5.6; musl's header is older */
#endif

static int open_disk(const struct record *record) {
  if (!record->disk[0]) return -1;
  int fd = open(record->disk, O_RDWR | O_CLOEXEC);
  if (fd < 0) say("cannot open %s for the state record: %s", record->disk, strerror(errno));
  return fd;
}

/*
 * Mixed in without being credited: a copied card would have the same seed as its original. The new seed depends on
 * what was mixed in, and is on the disk before anything can ask for randomness, so that none is ever used twice.
 */
static void mix_seed(const uint8_t *seed) {
  int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, seed, SEED_SIZE) < 0) say("cannot mix the seed in: %s", strerror(errno));
  close(fd);
}

/* Without a battery-backed clock a board starts in 1970, where every certificate is not valid yet. */
static void raise_clock(int64_t last_known) {
  struct stat built;
  struct timeval now;
  int64_t floor = last_known;
  if (stat("/etc/hearth/uuid", &built) == 0 && built.st_mtime > floor) floor = built.st_mtime;
  gettimeofday(&now, NULL);
  if (now.tv_sec >= floor) return;
  now = (struct timeval){.tv_sec = floor};
  if (settimeofday(&now, NULL) == 0) say("the clock was behind: set to %lld s after 1970", (long long)floor);
}

static void write_to(int fd, struct record *record, enum phase phase, const char *reason) {
  record->state.phase = phase;
  record->state.time = time(NULL);
  snprintf(record->state.reason, sizeof record->state.reason, "%s", reason);
  if (getrandom(record->state.seed, SEED_SIZE, GRND_INSECURE) < 0)
    getrandom(record->state.seed, SEED_SIZE, GRND_NONBLOCK);
  if (!state_write(fd, &record->state)) say("cannot write the state record: %s", strerror(errno));
}

void record_boot(struct record *record, const char *disk, bool by_watchdog, char *cause, unsigned size) {
  snprintf(record->disk, sizeof record->disk, "%s", disk);
  memset(&record->state, 0, sizeof record->state);
  int fd = open_disk(record);
  bool known = fd >= 0 && state_read(fd, &record->state);
  state_cause(&record->state, known, by_watchdog, cause, size);
  record->failed = state_begin(&record->state, by_watchdog);
  if (known) mix_seed(record->state.seed);
  raise_clock(record->state.time);
  if (fd < 0) return;
  write_to(fd, record, PHASE_RUNNING, "");
  close(fd);
}

void record_write(struct record *record, enum phase phase, const char *reason) {
  int fd = open_disk(record);
  if (fd < 0) return;
  write_to(fd, record, phase, reason);
  close(fd);
}

void record_write_aside(struct record *record) {
  if (!record->disk[0]) return;
  pid_t pid = fork();
  if (pid == 0) {
    record_write(record, PHASE_RUNNING, "");
    _exit(0);
  }
  /* As the child has done in its copy. */
  if (pid > 0) record->state.sequence++;
}
