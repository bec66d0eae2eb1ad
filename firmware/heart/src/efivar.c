#include "efivar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOADER_GUID "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
#define TEXT_MAX 256
/* 4 bytes of attributes, then UTF-16LE with a NUL. */
#define ATTRIBUTES_BYTES 4
/* Non-volatile, and seen by boot services and the running system: UEFI 2.10, 8.2. */
#define ATTRIBUTES 7

static int open_variable(const char *name, int flags) {
  char path[256];
  snprintf(path, sizeof path, EFIVARS "/%s-" LOADER_GUID, name);
  return open(path, flags | O_CLOEXEC, 0644);
}

bool efi_loader_variable(const char *name, char *text, size_t size) {
  uint8_t raw[ATTRIBUTES_BYTES + 2 * TEXT_MAX];
  int fd = open_variable(name, O_RDONLY);
  if (fd < 0) return false;
  ssize_t n = read(fd, raw, sizeof raw);
  close(fd);
  size_t length = 0;
  for (ssize_t i = ATTRIBUTES_BYTES; i + 1 < n && length + 1 < size; i += 2) {
    if (raw[i] == 0 && raw[i + 1] == 0) break;
    text[length++] = raw[i + 1] ? '?' : (char)raw[i];
  }
  text[length] = 0;
  return length > 0;
}

/* The kernel keeps variables that exist from being written over by mistake. */
static void make_mutable(const char *name) {
  int flags, fd = open_variable(name, O_RDONLY);
  if (fd < 0) return;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL)) {
    flags &= ~FS_IMMUTABLE_FL;
    ioctl(fd, FS_IOC_SETFLAGS, &flags);
  }
  close(fd);
}

bool efi_set_loader_variable(const char *name, const char *text) {
  uint8_t raw[ATTRIBUTES_BYTES + 2 * TEXT_MAX] = {ATTRIBUTES};
  char there[TEXT_MAX];
  size_t length = ATTRIBUTES_BYTES + 2 * (strnlen(text, TEXT_MAX - 1) + 1);
  for (size_t i = 0; ATTRIBUTES_BYTES + 2 * i < length - 2; i++) raw[ATTRIBUTES_BYTES + 2 * i] = (uint8_t)text[i];
  if (efi_loader_variable(name, there, sizeof there) && strcmp(there, text) == 0) return true;
  make_mutable(name);
  int fd = open_variable(name, O_WRONLY | O_CREAT);
  if (fd < 0) return false;
  /* One write is one call of the firmware's SetVariable: all of it or nothing. */
  bool written = write(fd, raw, length) == (ssize_t)length;
  int error = errno;
  close(fd);
  errno = error;
  return written;
}
