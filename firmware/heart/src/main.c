/* One binary: PID 1 of a device in two stages, and the verbs. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "boot.h"
#include "verbs.h"

#define RAMFS_MAGIC 0x858458f6
#define TMPFS_MAGIC 0x01021994

static const char usage[] =
    "usage: heart exec [OPTIONS] -- PROGRAM [ARG...]     become PROGRAM, with what the options say\n"
    "       heart attach [SOCKET]                        join an SSH session to hearthd\n"
    "       heart wait PID                               until that process has ended\n"
    "       heart one-shot a|b                           the next boot, and only that one, is from this slot\n"
    "       heart resize-part DISK NUMBER START SIZE     tell the kernel a partition's new place (bytes)\n"
    "       heart test-watchdog                          make PID 1 stop petting the watchdog\n"
    "       heart -- PROGRAM [ARG...]                    run PROGRAM, supervised\n"
    "       heart [-pid PID] [-ht SECONDS]               Erlang's heart: its protocol on stdin and stdout\n";

static const struct { const char *name; int (*run)(char **argv); } verbs[] = {
    {"attach", verb_attach},
    {"exec", verb_exec},
    {"one-shot", verb_one_shot},
    {"resize-part", verb_resize_part},
    {"test-watchdog", verb_test_watchdog},
    {"wait", verb_wait},
};

static bool in_initramfs(void) {
  struct statfs root;
  if (access("/modules/load", F_OK) < 0 || statfs("/", &root) < 0) return false;
  return (unsigned long)root.f_type == RAMFS_MAGIC || (unsigned long)root.f_type == TMPFS_MAGIC;
}

int main(int argc, char **argv) {
  const char *slash = argc ? strrchr(argv[0], '/') : NULL;
  const char *name = slash ? slash + 1 : argc ? argv[0] : "";
  /* Not just PID 1: in a container `heart -- PROGRAM` is that too. The kernel may give its init words of its own. */
  if (getpid() == 1 && (argc < 2 || strcmp(name, "init") == 0)) return in_initramfs() ? stage1() : stage2();
  const char *verb = argc < 2 ? "" : argv[1];
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(verb, verbs[i].name) == 0) return verbs[i].run(argv + 2);
  if (strcmp(verb, "--") == 0 && argc > 2) return verb_run(argv + 2);
  if (argc < 2 || strcmp(verb, "-pid") == 0 || strcmp(verb, "-ht") == 0) return verb_erlang(argv + (argc > 0));
  fputs(usage, stderr);
  return 2;
}
