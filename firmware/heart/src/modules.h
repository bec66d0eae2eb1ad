/* Kernel modules of the initramfs: which of `/modules/load`'s lines the hardware asks for, and loading them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct module_line {
  char *stage;
  char *pattern;    /* fnmatch(3) for a modalias, or "*" for always */
  char *files;      /* comma-separated, dependencies first */
  char *parameters; /* of the last file; "" when none */
  size_t seen;      /* how many aliases were tried in vain: thousands of patterns, and a pass for every uevent */
  bool done;
};

struct modules {
  struct module_line *lines;
  size_t line_count;
  char **aliases; /* what the hardware has shown so far */
  size_t alias_count;
  char **loaded; /* files that need no second try */
  size_t loaded_count;
  /* Loads one file: 0, or an errno. The kernel's door, replaced by a list in the unit tests. */
  int (*load)(const char *file, const char *parameters);
};

/* Cuts `text` up in place and keeps pointing into it. Lines with fewer than three words are left out. */
void modules_parse(struct modules *modules, char *text);

void modules_add_alias(struct modules *modules, const char *alias);

/* Every modalias below `bus_root` (/sys/bus): one look at boot; uevents tell the rest. */
void modules_walk(struct modules *modules, const char *bus_root);

/* Loads the next of a stage's lines that the hardware asks for, each line once. False when there is none now. */
bool modules_load_next(struct modules *modules, const char *stage);

/* Loads /modules/FILE into the kernel (finit_module). 0, or an errno; "is there already" is 0. */
int modules_insert(const char *file, const char *parameters);
