#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static int kmsg = -1;
static int console = -1;

void log_to_device(bool with_console) {
  kmsg = open("/dev/kmsg", O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  /* A serial line that nobody drains fills up; blocking there would stop the petting. */
  if (with_console) console = open("/dev/console", O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void line(int fd, const char *prefix, const char *text) {
  char buffer[640];
  int length = snprintf(buffer, sizeof buffer, "%s%s\n", prefix, text);
  if (length >= (int)sizeof buffer) length = sizeof buffer - 1;
  int saved = errno;
  if (fd >= 0 && write(fd, buffer, (size_t)length) < 0) errno = saved;
}

void say(const char *format, ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  line(kmsg, "<5>heart: ", text);
  line(console, "[hearth] ", text);
  if (kmsg < 0 && console < 0) line(STDERR_FILENO, "heart: ", text);
}
