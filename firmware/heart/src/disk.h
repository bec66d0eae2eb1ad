/* Finding Hearth's partitions on a disk: GPT by name, MBR by signature. Nothing is written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table_kind { TABLE_NONE, TABLE_GPT, TABLE_MBR };

struct table {
  enum table_kind kind; /* TABLE_NONE: not a disk of ours */
  int root_a, root_b;   /* partition numbers */
  int data;             /* 0: there is none */
  bool booted_from;     /* it holds the partition that the boot loader came from */
};

/*
 * Reads the table of an open disk (or file) of `size` bytes with `sector` bytes a sector. `loader_uuid` is the unique
 * GUID, as text, of the partition that the boot loader came from, or "".
 */
void table_read(int fd, uint32_t sector, uint64_t size, const char *loader_uuid, struct table *table);

/* The same for a disk by name (vda), by its node in /dev. */
void table_read_disk(const char *name, const char *loader_uuid, struct table *table);

/* The node of partition `number`: /dev/vda5, /dev/nvme0n1p5. */
void partition_node(const char *disk, int number, char *node, size_t size);
