#include "modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

/* Grows by doubling at powers of two. Out of memory in stage 1 leaves the list as it is: better than no boot. */
static void append(char ***list, size_t *count, const char *text) {
  char *copy = strdup(text);
  if (!copy) return;
  if ((*count & (*count - 1)) == 0) {
    char **bigger = realloc(*list, (*count ? *count * 2 : 1) * sizeof *bigger);
    if (!bigger) {
      free(copy);
      return;
    }
    *list = bigger;
  }
  (*list)[(*count)++] = copy;
}

static bool contains(char *const *list, size_t count, const char *text) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i], text) == 0) return true;
  return false;
}

/* The next word of a line, or "" at its end. */
static char *word(char **rest) {
  *rest += strspn(*rest, " \t");
  char *start = *rest;
  *rest += strcspn(*rest, " \t");
  if (**rest) *(*rest)++ = 0;
  return start;
}

void modules_parse(struct modules *modules, char *text) {
  size_t most = 1;
  for (const char *p = text; *p; p++) most += *p == '\n';
  modules->lines = calloc(most, sizeof *modules->lines);
  modules->line_count = 0;
  if (!modules->lines) return;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    struct module_line parsed = {0};
    char *rest = line;
    parsed.stage = word(&rest);
    parsed.pattern = word(&rest);
    parsed.files = word(&rest);
    parsed.parameters = rest;
    if (parsed.stage[0] != '#' && parsed.files[0]) modules->lines[modules->line_count++] = parsed;
  }
}

void modules_add_alias(struct modules *modules, const char *alias) {
  if (!contains(modules->aliases, modules->alias_count, alias))
    append(&modules->aliases, &modules->alias_count, alias);
}

static void walk_bus(struct modules *modules, const char *bus_root, const char *bus) {
  char path[512], alias[512];
  snprintf(path, sizeof path, "%s/%s/devices", bus_root, bus);
  DIR *dir = opendir(path);
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    int length = snprintf(path, sizeof path, "%s/%s/devices/%s/modalias", bus_root, bus, entry->d_name);
    if (length >= (int)sizeof path || read_text(path, alias, sizeof alias) <= 0) continue;
    alias[strcspn(alias, "\n")] = 0;
    if (alias[0]) modules_add_alias(modules, alias);
  }
  closedir(dir);
}

void modules_walk(struct modules *modules, const char *bus_root) {
  DIR *dir = opendir(bus_root);
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));)
    if (entry->d_name[0] != '.') walk_bus(modules, bus_root, entry->d_name);
  closedir(dir);
}

static bool wanted(const struct modules *modules, struct module_line *line) {
  if (strcmp(line->pattern, "*") == 0) return true;
  for (; line->seen < modules->alias_count; line->seen++)
    if (fnmatch(line->pattern, modules->aliases[line->seen], 0) == 0) return true;
  return false;
}

static void load_line(struct modules *modules, struct module_line *line) {
  char *next;
  line->done = true;
  for (char *file = line->files; *file; file = next) {
    size_t length = strcspn(file, ",");
    next = file + length;
    if (*next) *next++ = 0;
    if (contains(modules->loaded, modules->loaded_count, file)) continue;
    append(&modules->loaded, &modules->loaded_count, file);
    int error = modules->load(file, *next ? "" : line->parameters);
    /* A driver that finds no device says ENODEV: the pattern was wider than the hardware. */
    if (error && error != ENODEV) say("cannot load module %s: %s", file, strerror(error));
  }
}

bool modules_load_next(struct modules *modules, const char *stage) {
  for (size_t i = 0; i < modules->line_count; i++) {
    struct module_line *line = &modules->lines[i];
    if (line->done || strcmp(line->stage, stage) != 0 || !wanted(modules, line)) continue;
    load_line(modules, line);
    return true;
  }
  return false;
}

int modules_insert(const char *file, const char *parameters) {
  char path[256];
  snprintf(path, sizeof path, "/modules/%s", file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = syscall(SYS_finit_module, fd, parameters, 0) < 0 ? errno : 0;
  close(fd);
  return error == EEXIST ? 0 : error;
}
