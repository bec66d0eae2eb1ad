#include "watchdog.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util.h"

/* What we ask for; some hardware grants less (15 s on a Raspberry Pi). */
#define WANTED_SECONDS 30

static void take(struct watchdog *dog, int fd, int64_t now) {
  struct watchdog_info info;
  int seconds = WANTED_SECONDS, status = 0;
  memset(&info, 0, sizeof info);
  memset(dog, 0, sizeof *dog);
  dog->fd = fd;
  if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds) < 0 && ioctl(fd, WDIOC_GETTIMEOUT, &seconds) < 0)
    seconds = WANTED_SECONDS;
  dog->every_ms = (seconds > 0 ? seconds : 1) * 1000 / 3;
  dog->caused_reset = ioctl(fd, WDIOC_GETBOOTSTATUS, &status) == 0 && (status & WDIOF_CARDRESET);
  if (ioctl(fd, WDIOC_GETSUPPORT, &info) == 0)
    snprintf(dog->identity, sizeof dog->identity, "%.32s", (const char *)info.identity);
  else
    strcpy(dog->identity, "unnamed");
  dog->due = now;
  watchdog_tick(dog, now);
}

bool watchdog_open(struct watchdog *dog, const char *path, int64_t now) {
  /* Without O_CLOEXEC: the descriptor has to live through the exec of stage 2. */
  int fd = open(path, O_WRONLY | O_NONBLOCK);
  if (fd < 0) {
    memset(dog, 0, sizeof *dog);
    dog->fd = -1;
    dog->due = NEVER;
    return false;
  }
  take(dog, fd, now);
  return true;
}

void watchdog_adopt(struct watchdog *dog, const char *fd_number, const char *path, int64_t now) {
  long long fd;
  if (fd_number && parse_number(fd_number, 3, &fd) && fcntl((int)fd, F_GETFD) >= 0)
    take(dog, (int)fd, now);
  else
    watchdog_open(dog, path, now);
  /* hearthd must not inherit it: a descriptor in a second process is one that can pet by mistake. */
  if (dog->fd >= 0) fcntl(dog->fd, F_SETFD, FD_CLOEXEC);
}

void watchdog_tick(struct watchdog *dog, int64_t now) {
  if (now < dog->due) return;
  dog->due = now + dog->every_ms;
  /* A written byte is a pet for every driver; not 'V', which would ask to be disarmed on close. */
  ssize_t ignored = write(dog->fd, "", 1);
  (void)ignored;
}
