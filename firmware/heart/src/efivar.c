#include "efivar.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define LOADER_GUID "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

bool efi_loader_variable(const char *name, char *text, size_t size) {
  char path[256];
  uint8_t raw[4 + 2 * 256];
  snprintf(path, sizeof path, "/sys/firmware/efi/efivars/%s-" LOADER_GUID, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, raw, sizeof raw);
  close(fd);
  size_t length = 0;
  /* 4 bytes of attributes, then UTF-16LE with a NUL. */
  for (ssize_t i = 4; i + 1 < n && length + 1 < size; i += 2) {
    if (raw[i] == 0 && raw[i + 1] == 0) break;
    text[length++] = raw[i + 1] ? '?' : (char)raw[i];
  }
  text[length] = 0;
  return length > 0;
}
