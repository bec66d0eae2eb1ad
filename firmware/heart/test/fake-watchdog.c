/*
 * The kernel's side of /dev/watchdog0, for a fifo or file in its place: linked with -Wl,--wrap=ioctl, it answers the
 * watchdog's ioctls as FAKE_WATCHDOG says, "GRANTED_SECONDS BOOT_STATUS IDENTITY", and passes everything else on.
 */
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __real_ioctl(int fd, unsigned long request, void *argument);

int __wrap_ioctl(int fd, unsigned long request, ...) {
  va_list args;
  va_start(args, request);
  void *argument = va_arg(args, void *);
  va_end(args);
  const char *fake = getenv("FAKE_WATCHDOG");
  int seconds = 0, status = 0;
  char identity[33] = "";
  if (!fake || sscanf(fake, "%d %i %32[^\n]", &seconds, &status, identity) < 2)
    return __real_ioctl(fd, request, argument);
  if (request == WDIOC_SETTIMEOUT && *(int *)argument > seconds) *(int *)argument = seconds;
  else if (request == WDIOC_GETBOOTSTATUS) *(int *)argument = status;
  else if (request == WDIOC_GETSUPPORT) memcpy(((struct watchdog_info *)argument)->identity, identity, 32);
  else if (request != WDIOC_SETTIMEOUT) return __real_ioctl(fd, request, argument);
  return 0;
}
