/*
 * Puts heart's pure parts on a command line, so that tests can show them files and read what they make of them.
 * Built with sanitizers, linked with everything of heart but main.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/disk.h"
#include "../src/fallback.h"
#include "../src/modules.h"
#include "../src/protocol.h"
#include "../src/state.h"
#include "../src/supervise.h"
#include "../src/util.h"
#include "../src/watchdog.h"

static int open_file(const char *path, uint64_t *size) {
  struct stat st;
  int fd = open(path, O_RDWR);
  if (fd < 0 || fstat(fd, &st) < 0) {
    perror(path);
    exit(1);
  }
  if (size) *size = (uint64_t)st.st_size;
  return fd;
}

/* table FILE SECTOR LOADER_UUID */
static void table(char **argv) {
  static const char *const kinds[] = {"none", "gpt", "mbr"};
  struct table t;
  uint64_t size;
  int fd = open_file(argv[0], &size);
  table_read(fd, (uint32_t)atoi(argv[1]), size, argv[2], &t);
  printf("%s a=%d b=%d data=%d booted_from=%d\n", kinds[t.kind], t.root_a, t.root_b, t.data, t.booted_from);
}

/* fuzz-table FILE COUNT SEED: random GPT headers whose own checksum is right, so that every field is believed. */
static void fuzz_table(char **argv) {
  uint64_t size;
  uint8_t header[512], bad[512];
  int fd = open_file(argv[0], &size), found = 0;
  srandom((unsigned)atoi(argv[2]));
  if (pread(fd, header, 512, 512) != 512) exit(1);
  for (int i = 0; i < atoi(argv[1]); i++) {
    struct table t;
    memcpy(bad, header, 512);
    for (int k = random() % 4; k >= 0; k--) bad[8 + random() % 84] = (uint8_t)(random() % 3 ? random() : 0xff);
    uint32_t length = le32(bad + 12) <= 512 ? le32(bad + 12) : 92;
    memset(bad + 16, 0, 4);
    uint32_t crc = crc32(bad, length);
    memcpy(bad + 16, &crc, 4);
    if (pwrite(fd, bad, 512, 512) != 512) exit(1);
    table_read(fd, 512, size, "", &t);
    found += t.kind == TABLE_GPT;
  }
  /* The backup at the end is sound, so that none of it may have kept the disk from being found. */
  printf("%d\n", found);
}

static int remember(const char *file, const char *parameters) {
  printf("%s%s%s\n", file, parameters[0] ? " " : "", parameters);
  return strstr(file, "broken") ? 8 : 0;
}

/* modules LOAD_FILE BUS_ROOT STAGE… : what is loaded, in order; a stage "+ALIAS" shows new hardware instead. */
static void modules(char **argv) {
  static char text[65536];
  struct modules m = {.load = remember};
  if (read_text(argv[0], text, sizeof text) < 0) exit(1);
  modules_parse(&m, text);
  modules_walk(&m, argv[1]);
  for (argv += 2; *argv; argv++) {
    if (**argv == '+') modules_add_alias(&m, *argv + 1);
    else {
      int count = 0;
      while (modules_load_next(&m, *argv)) count++;
      printf("%s: %d\n", *argv, count);
    }
  }
  for (size_t i = 0; i < m.alias_count; i++) free(m.aliases[i]);
  for (size_t i = 0; i < m.loaded_count; i++) free(m.loaded[i]);
  free(m.aliases);
  free(m.loaded);
  free(m.lines);
}

static void print_state(const struct state *s, bool known) {
  printf("known=%d sequence=%llu time=%lld phase=%d seed=", known, (unsigned long long)s->sequence, (long long)s->time,
         (int)s->phase);
  for (int i = 0; i < SEED_SIZE; i++) printf("%02x", s->seed[i]);
  printf(" reason=%s\n", s->reason);
}

/* state-read FILE BY_WATCHDOG */
static void read_state(char **argv) {
  struct state s;
  char cause[REASON_SIZE];
  int fd = open_file(argv[0], NULL);
  bool known = state_read(fd, &s);
  state_cause(&s, known, atoi(argv[1]), cause, sizeof cause);
  print_state(&s, known);
  printf("cause=%s\n", cause);
}

/* state-write FILE TIME PHASE SEED_BYTE REASON */
static void write_state(char **argv) {
  struct state s;
  int fd = open_file(argv[0], NULL);
  state_read(fd, &s);
  s.time = atoll(argv[1]);
  s.phase = (enum phase)atoi(argv[2]);
  memset(s.seed, atoi(argv[3]), SEED_SIZE);
  snprintf(s.reason, sizeof s.reason, "%s", argv[4]);
  printf("%d\n", state_write(fd, &s));
}

/* run FILE BY_WATCHDOG BITS PHASE: a run that begins with the record, and ends with these bits and this phase. */
static void run(char **argv) {
  struct state s;
  int fd = open_file(argv[0], NULL);
  state_read(fd, &s);
  bool failed = state_begin(&s, atoi(argv[1]));
  printf("%d %d %d\n", failed, s.failures, s.bits);
  s.bits |= (uint8_t)atoi(argv[2]);
  s.phase = (enum phase)atoi(argv[3]);
  if (!state_write(fd, &s)) exit(1);
}

/* environment FILE KEY */
static void environment(char **argv) {
  char value[VARIABLE_MAX];
  puts(environment_value(open_file(argv[0], NULL), argv[1], value) ? value : "(none)");
}

/* borrow DISK SLOT BITS: what a slot without a root does before it reboots. */
static void borrow(char **argv) {
  struct record record = {.state.bits = (uint8_t)atoi(argv[2])};
  snprintf(record.disk, sizeof record.disk, "%s", argv[0]);
  borrow_rescue(&record, argv[1][0]);
}

/* frames: the operations on standard input, each with what SET_CMD has left. Answers go to standard error. */
static void frames(void) {
  static struct link link;
  int op;
  link_init(&link, STDIN_FILENO, STDERR_FILENO);
  while ((op = link_receive(&link)) != LINK_CLOSED)
    if (op != LINK_NOTHING) printf("%d %zu\n", op, strlen(link.command));
}

/* restarts MILLISECONDS… : the delay that each restart gets. */
static void restarts(char **argv) {
  struct restarts r = {0};
  for (; *argv; argv++) printf("%d\n", restart_delay(&r, atoll(*argv)));
}

/* watchdog PATH MILLISECONDS… : opened at 0, ticked at each time; ioctl is answered by fake-watchdog.c. */
static void watchdog(char **argv) {
  struct watchdog dog;
  printf("open=%d", watchdog_open(&dog, argv[0], 0));
  printf(" every=%lld caused_reset=%d identity=%s\n", (long long)dog.every_ms, dog.caused_reset, dog.identity);
  for (argv++; *argv; argv++) watchdog_tick(&dog, atoll(*argv));
}

/* value TEXT KEY SIZE */
static void value(char **argv) {
  char out[256];
  bool found = find_value(argv[0], argv[1], out, (size_t)atoi(argv[2]));
  printf("%s\n", found ? out : "(none)");
}

int main(int argc, char **argv) {
  char node[64];
  if (argc < 2) return 2;
  const char *verb = argv[1];
  argv += 2;
  if (strcmp(verb, "table") == 0) table(argv);
  else if (strcmp(verb, "fuzz-table") == 0) fuzz_table(argv);
  else if (strcmp(verb, "modules") == 0) modules(argv);
  else if (strcmp(verb, "state-read") == 0) read_state(argv);
  else if (strcmp(verb, "state-write") == 0) write_state(argv);
  else if (strcmp(verb, "run") == 0) run(argv);
  else if (strcmp(verb, "environment") == 0) environment(argv);
  else if (strcmp(verb, "borrow") == 0) borrow(argv);
  else if (strcmp(verb, "frames") == 0) frames();
  else if (strcmp(verb, "restarts") == 0) restarts(argv);
  else if (strcmp(verb, "watchdog") == 0) watchdog(argv);
  else if (strcmp(verb, "value") == 0) value(argv);
  else if (strcmp(verb, "node") == 0) partition_node(argv[0], atoi(argv[1]), node, sizeof node), puts(node);
  else if (strcmp(verb, "crc") == 0) printf("%08x\n", crc32(argv[0], strlen(argv[0])));
  else return 2;
  return 0;
}
