#include "disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "layout.h"
#include "util.h"

/* UEFI 2.10, 5.3: header and entry fields, by their offsets. */
#define GPT_HEADER_MIN 92
#define GPT_ENTRY_MIN 128
#define GPT_ENTRIES_MAX (1u << 20) /* bytes; ours and everybody's tables have 16 KiB */
#define GPT_NAME 56
#define GPT_NAME_UNITS 36
/* The one partition of the MBR that guards a GPT. */
#define MBR_TYPE_PROTECTIVE 0xee

/* The partition's name, as far as it is ASCII; ours are. */
static void entry_name(const uint8_t *entry, char *name) {
  int i = 0;
  for (; i < GPT_NAME_UNITS; i++) {
    const uint8_t *unit = entry + GPT_NAME + 2 * i;
    if (unit[0] == 0 && unit[1] == 0) break;
    name[i] = unit[1] ? '?' : (char)unit[0];
  }
  name[i] = 0;
}

/* GUIDs are stored with their first three fields little-endian. */
static void guid_text(const uint8_t *g, char *text) {
  snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2], g[1], g[0],
           g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

static void take_entries(const uint8_t *entries, uint32_t count, uint32_t size, const char *loader_uuid,
                         struct table *table) {
  static const uint8_t unused[16];
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *entry = entries + (size_t)i * size;
    char name[GPT_NAME_UNITS + 1], guid[37];
    if (memcmp(entry, unused, sizeof unused) == 0) continue;
    entry_name(entry, name);
    guid_text(entry + 16, guid);
    if (strcmp(name, PARTITION_ROOT_A) == 0) table->root_a = (int)i + 1;
    if (strcmp(name, PARTITION_ROOT_B) == 0) table->root_b = (int)i + 1;
    if (strcmp(name, PARTITION_DATA) == 0) table->data = (int)i + 1;
    if (loader_uuid[0] && strcasecmp(guid, loader_uuid) == 0) table->booted_from = true;
  }
}

/* One of the two GPT headers, at sector `lba`. False when it is not valid to the last checksum. */
static bool read_gpt(int fd, uint32_t sector, uint64_t lba, const char *loader_uuid, struct table *table) {
  uint8_t header[4096];
  if (sector > sizeof header || pread(fd, header, sector, (off_t)(lba * sector)) != (ssize_t)sector) return false;
  if (memcmp(header, "EFI PART", 8) != 0 || le64(header + 24) != lba) return false;
  uint32_t length = le32(header + 12), crc = le32(header + 16);
  if (length < GPT_HEADER_MIN || length > sector) return false;
  memset(header + 16, 0, 4);
  if (crc32(header, length) != crc) return false;
  uint64_t entries_lba = le64(header + 72);
  uint32_t count = le32(header + 80), size = le32(header + 84);
  if (size < GPT_ENTRY_MIN || count == 0 || (uint64_t)count * size > GPT_ENTRIES_MAX) return false;
  size_t bytes = (size_t)count * size;
  uint8_t *entries = malloc(bytes);
  bool valid = entries && entries_lba < INT64_MAX / sector &&
               pread(fd, entries, bytes, (off_t)(entries_lba * sector)) == (ssize_t)bytes &&
               crc32(entries, bytes) == le32(header + 88);
  if (valid) take_entries(entries, count, size, loader_uuid, table);
  free(entries);
  return valid;
}

/* Looked at before any GPT: a card that once had one may still carry its backup at the end. */
static bool has_our_mbr(int fd) {
  uint8_t mbr[SECTOR];
  return pread(fd, mbr, sizeof mbr, 0) == sizeof mbr && mbr[510] == 0x55 && mbr[511] == 0xaa &&
         le32(mbr + 440) == MBR_SIGNATURE && mbr[446 + 4] != MBR_TYPE_PROTECTIVE;
}

void table_read(int fd, uint32_t sector, uint64_t size, const char *loader_uuid, struct table *table) {
  memset(table, 0, sizeof *table);
  if (sector < SECTOR || size < 3 * (uint64_t)sector) return;
  if (has_our_mbr(fd)) {
    table->kind = TABLE_MBR;
    table->root_a = MBR_ROOT_A;
    table->root_b = MBR_ROOT_B;
    table->data = MBR_DATA;
  } else if (read_gpt(fd, sector, 1, loader_uuid, table) ||
             read_gpt(fd, sector, size / sector - 1, loader_uuid, table)) {
    if (table->root_a && table->root_b) table->kind = TABLE_GPT;
  }
}

void table_read_disk(const char *name, const char *loader_uuid, struct table *table) {
  char path[64];
  int sector = 0;
  uint64_t size = 0;
  memset(table, 0, sizeof *table);
  snprintf(path, sizeof path, "/dev/%s", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;
  if (ioctl(fd, BLKSSZGET, &sector) == 0 && ioctl(fd, BLKGETSIZE64, &size) == 0 && sector > 0)
    table_read(fd, (uint32_t)sector, size, loader_uuid, table);
  close(fd);
}

void partition_node(const char *disk, int number, char *node, size_t size) {
  size_t length = strlen(disk);
  bool digit = length && disk[length - 1] >= '0' && disk[length - 1] <= '9';
  snprintf(node, size, "/dev/%s%s%d", disk, digit ? "p" : "", number);
}
