#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int poll_timeout(int64_t due, int64_t now) {
  if (due == NEVER) return -1;
  if (due <= now) return 0;
  return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

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

int signals_descriptor(const int *signals) {
  sigset_t set;
  sigemptyset(&set);
  while (*signals) sigaddset(&set, *signals++);
  sigprocmask(SIG_SETMASK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

void signals_default(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
}

ssize_t read_text(const char *path, char *buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return -1;
  size_t have = 0;
  while (have < size - 1) {
    ssize_t n = read(fd, buffer + have, size - 1 - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += (size_t)n;
  }
  buffer[have] = 0;
  close(fd);
  return (ssize_t)have;
}

int write_text(const char *path, int flags, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, 0644);
  if (fd < 0) return -1;
  ssize_t n = write(fd, text, strlen(text));
  int error = errno;
  close(fd);
  errno = error;
  return n < 0 ? -1 : 0;
}

bool find_value(const char *text, const char *key, char *value, size_t size) {
  size_t key_length = strlen(key);
  while (*text) {
    text += strspn(text, " \n");
    size_t length = strcspn(text, " \n");
    if (length > key_length && text[key_length] == '=' && memcmp(text, key, key_length) == 0) {
      size_t n = length - key_length - 1;
      if (n >= size) return false;
      memcpy(value, text + key_length + 1, n);
      value[n] = 0;
      return true;
    }
    text += length;
  }
  return false;
}

bool parse_number(const char *text, long long min, long long *value) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (errno || end == text || *end || n < min) return false;
  *value = n;
  return true;
}

uint32_t crc32(const void *data, size_t size) {
  const uint8_t *p = data;
  uint32_t crc = 0xffffffffu;
  while (size--) {
    crc ^= *p++;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1));
  }
  return ~crc;
}

uint32_t le32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t le64(const uint8_t *p) { return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32; }
