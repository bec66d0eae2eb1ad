/* Stage 1, in the initramfs: the watchdog, the modules that the root needs, the root, and on to stage 2. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "disk.h"
#include "efivar.h"
#include "fallback.h"
#include "layout.h"
#include "modules.h"
#include "util.h"
#include "watchdog.h"

#define ROOT "/newroot"
#define ROOT_WITHIN_MS 30000
/* How long the disk that the boot loader came from may take before another disk's root is taken. */
#define OWN_DISK_WITHIN_MS 10000
/* A look without an event: should the kernel's queue have overflowed, nothing else would tell. */
#define LOOK_EVERY_MS 1000
#define DISKS_MAX 64
/* Of a heart; ours has a fifth of it at most. */
#define HEART_MAX (1 << 20)

struct stage1 {
  struct boot boot;
  struct modules modules;
  struct watchdog dog;
  int uevents;
  char loader_uuid[64];
  char disk[32], root[48], data[48]; /* disk: as far as is known, until there is a root */
  char stranger[192]; /* the last root that was another firmware's */
  enum table_kind kind;
};

static int open_uevents(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  int size = 1 << 20;
  int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) say("no uevents: %s", strerror(errno));
  return fd;
}

/* Takes in what has appeared since the last look. */
static void drain_uevents(struct stage1 *s) {
  char message[8192];
  ssize_t n;
  while ((n = recv(s->uevents, message, sizeof message - 1, 0)) > 0 || (n < 0 && errno == ENOBUFS)) {
    if (n < 0) {
      modules_walk(&s->modules, "/sys/bus");
      continue;
    }
    message[n] = 0;
    for (char *p = message; p < message + n; p += strlen(p) + 1)
      if (strncmp(p, "MODALIAS=", 9) == 0) modules_add_alias(&s->modules, p + 9);
  }
}

static bool load_next(struct stage1 *s, const char *stage) {
  watchdog_tick(&s->dog, now_ms());
  drain_uevents(s);
  return modules_load_next(&s->modules, stage);
}

static void load_stage(struct stage1 *s, const char *stage) {
  while (load_next(s, stage));
}

static void arm_watchdog(struct stage1 *s) {
  load_stage(s, "watchdog");
  if (!watchdog_open(&s->dog, WATCHDOG_PATH, now_ms())) {
    load_stage(s, "watchdog-fallback");
    watchdog_open(&s->dog, WATCHDOG_PATH, now_ms());
  }
  if (s->dog.fd < 0)
    say("no watchdog: a hang will stay a hang");
  else
    say("watchdog: %s, petted every %lld ms", s->dog.identity, (long long)s->dog.every_ms);
}

/* On UEFI only the boot loader knows which slot it started, and from which disk. */
static void read_loader_variables(struct stage1 *s) {
  char entry[128];
  if (access(EFIVARS, F_OK) < 0) return;
  mount_at("efivarfs", EFIVARS, "efivarfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  efi_loader_variable("LoaderDevicePartUUID", s->loader_uuid, sizeof s->loader_uuid);
  if (efi_loader_variable("LoaderEntrySelected", entry, sizeof entry) && strncasecmp(entry, "slot-", 5) == 0 &&
      (entry[5] == 'a' || entry[5] == 'b') && !(entry[6] >= 'a' && entry[6] <= 'z'))
    snprintf(s->boot.slot, sizeof s->boot.slot, "%c", entry[5]);
}

/* Mounts a root and asks whose it is; leaves it mounted only when it is this kernel's own. */
static bool try_root(struct stage1 *s, const char *node) {
  char uuid[64];
  if (mount(node, ROOT, "squashfs", MS_RDONLY | MS_NODEV, NULL) < 0) return false;
  if (read_text(ROOT "/etc/hearth/uuid", uuid, sizeof uuid) > 0) {
    uuid[strcspn(uuid, "\n")] = 0;
    if (strcmp(uuid, s->boot.uuid) == 0) return true;
    snprintf(s->stranger, sizeof s->stranger, "%s holds firmware %s, not %s", node, uuid, s->boot.uuid);
  }
  umount2(ROOT, MNT_DETACH);
  return false;
}

static bool try_disk(struct stage1 *s, const char *name, bool only_own) {
  struct table table;
  char node[48];
  table_read_disk(name, s->loader_uuid, &table);
  if (table.kind == TABLE_NONE || (only_own && !table.booted_from)) return false;
  partition_node(name, s->boot.slot[0] == 'a' ? table.root_a : table.root_b, node, sizeof node);
  bool found = try_root(s, node);
  if (found || table.booted_from || !s->loader_uuid[0]) snprintf(s->disk, sizeof s->disk, "/dev/%s", name);
  if (!found) return false;
  snprintf(s->root, sizeof s->root, "%s", node);
  if (table.data) partition_node(name, table.data, s->data, sizeof s->data);
  s->kind = table.kind;
  return true;
}

static int is_disk(const struct dirent *entry) {
  static const char *const others[] = {".", "loop", "ram", "zram", "sr", "fd", "dm-", "nbd"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strncmp(entry->d_name, others[i], strlen(others[i])) == 0) return 0;
  return strlen(entry->d_name) < 24;
}

static bool try_disks(struct stage1 *s, bool only_own) {
  struct dirent **names;
  bool found = false;
  int count = scandir("/sys/block", &names, is_disk, alphasort);
  for (int i = 0; i < count; i++) {
    if (!found && i < DISKS_MAX) found = try_disk(s, names[i]->d_name, only_own);
    free(names[i]);
  }
  if (count >= 0) free(names);
  return found;
}

/* Counts it as stage 2 does its own failures: a slot whose root is damaged must not be booted for ever. */
_Noreturn static void no_root(const struct stage1 *s, const char *why) {
  struct record record;
  char cause[REASON_SIZE];
  say("no root: %s", why);
  record_boot(&record, s->disk, s->dog.caused_reset, cause, sizeof cause);
  const char *rescue = last_resort(&record, s->boot.slot[0]);
  if (rescue) say("%d boots in a row have failed, and %s", record.state.failures, rescue);
  record.state.bits |= RUN_GAVE_UP;
  record_write(&record, PHASE_DOWN, "reboot: no root");
  borrow_rescue(&record, s->boot.slot[0]);
  boot_failed(why);
}

/* Looks after every driver: what the root does not need, hearthd loads later, beside other work. */
static void find_root(struct stage1 *s) {
  int64_t start = now_ms();
  load_stage(s, "always");
  read_loader_variables(s);
  if (s->boot.slot[0] != 'a' && s->boot.slot[0] != 'b')
    boot_failed("neither the boot loader (LoaderEntrySelected) nor hearth.slot= says which slot this is");
  mkdir(ROOT, 0755);
  for (;;) {
    bool more = load_next(s, "root");
    int64_t now = now_ms();
    bool only_own = s->loader_uuid[0] && now - start < OWN_DISK_WITHIN_MS;
    if (try_disks(s, only_own)) return;
    if (now - start > ROOT_WITHIN_MS) no_root(s, s->stranger[0] ? s->stranger : "no disk holds this firmware's root");
    struct pollfd event = {.fd = s->uevents, .events = POLLIN};
    if (!more) poll(&event, 1, poll_timeout(earlier(now + LOOK_EVERY_MS, s->dog.due), now));
  }
}

static void write_boot_file(const struct stage1 *s, int64_t kernel_ms) {
  char text[1024];
  mkdir("/run/hearth", 0755);
  snprintf(text, sizeof text,
           "TARGET=%s\nSLOT=%s\nUUID=%s\nDISK=%s\nROOT=%s\nDATA=%s\nTABLE=%s\nCONSOLE=%s\nWATCHDOG=%s\n"
           "KERNEL_MS=%lld\n",
           s->boot.target, s->boot.slot, s->boot.uuid, s->disk, s->root, s->data,
           s->kind == TABLE_GPT ? "gpt" : "mbr", s->boot.console, s->dog.fd < 0 ? "none" : s->dog.identity,
           (long long)kernel_ms);
  if (write_text(BOOT_FILE, O_CREAT | O_TRUNC, text) < 0) say("cannot write " BOOT_FILE ": %s", strerror(errno));
}

/* The initramfs stays in memory for good, so its files go. */
static void empty_initramfs(void) {
  DIR *dir = opendir("/modules");
  for (struct dirent *entry; dir && (entry = readdir(dir));) unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir) closedir(dir);
  unlink("/init");
}

/* Sessions, the app and its programs are started by the root's own heart: it must be what this one is, to the byte. */
static bool has_sound_heart(void) {
  static char ours[HEART_MAX], theirs[HEART_MAX];
  ssize_t size = read_text("/init", ours, sizeof ours);
  return size > 0 && size == read_text(ROOT "/sbin/heart", theirs, sizeof theirs) &&
         memcmp(ours, theirs, (size_t)size) == 0 && access(ROOT "/sbin/heart", X_OK) == 0;
}

_Noreturn static void enter_root(const struct stage1 *s) {
  static const char *const mounts[] = {"/dev", "/proc", "/sys", "/run"};
  char target[32], watchdog_fd[48];
  snprintf(watchdog_fd, sizeof watchdog_fd, WATCHDOG_FD_VARIABLE "=%d", s->dog.fd);
  /* Before any has moved: what is to be written down then needs them. */
  for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
    snprintf(target, sizeof target, ROOT "%s/.", mounts[i]);
    if (access(target, F_OK) < 0) no_root(s, "it lacks a directory to mount on");
  }
  if (!has_sound_heart()) no_root(s, "its /sbin/heart is damaged");
  int self = open("/init", O_RDONLY | O_CLOEXEC);
  empty_initramfs();
  for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
    snprintf(target, sizeof target, ROOT "%s", mounts[i]);
    if (mount(mounts[i], target, NULL, MS_MOVE, NULL) < 0) boot_failed("cannot move to the root");
  }
  if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
    boot_failed("cannot move to the root");
  /* Itself, from memory: a root that goes bad under it does not end PID 1, which would be a panic that nobody counts. */
  fexecve(self, (char *const[]){"init", NULL}, (char *const[]){watchdog_fd, NULL});
  boot_failed("it cannot execute itself");
}

int stage1(void) {
  static struct stage1 s;
  static char load[LOAD_LIST_SIZE];
  struct timespec since_boot;
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  s.dog = (struct watchdog){.fd = -1, .due = NEVER};
  s.modules.load = modules_insert;
  mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
  mount_at("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
  open_standard_files();
  boot_read(&s.boot);
  log_to_device(strcmp(s.boot.console, "none") != 0);
  s.uevents = open_uevents();
  ssize_t length = read_text("/modules/load", load, sizeof load);
  if (length < 0 || length == (ssize_t)sizeof load - 1) say("cannot read all of /modules/load: drivers may be missing");
  modules_parse(&s.modules, load);
  modules_walk(&s.modules, "/sys/bus");
  arm_watchdog(&s);
  find_root(&s);
  say("slot %s of %s: %s", s.boot.slot, s.boot.target, s.root);
  write_boot_file(&s, (int64_t)since_boot.tv_sec * 1000 + since_boot.tv_nsec / 1000000);
  enter_root(&s);
}
