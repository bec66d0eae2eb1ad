#include "cgroup.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "boot.h"
#include "util.h"

#define CGROUPS "/sys/fs/cgroup"

void cgroup_setup(void) {
  static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+io"};
  static const char *const names[] = {"hearthd", "app", "net", "ssh"};
  mount_at("cgroup2", CGROUPS, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  /* One at a time: the kernel refuses a whole list for one controller that it lacks. */
  for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++)
    write_text(CGROUPS "/cgroup.subtree_control", 0, controllers[i]);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, CGROUPS "/%s", names[i]);
    mkdir(path, 0755);
  }
}

static void write_to(const char *name, const char *file, const char *text) {
  char path[96];
  snprintf(path, sizeof path, CGROUPS "/%s/%s", name, file);
  write_text(path, 0, text);
}

void cgroup_enter(const char *name) { write_to(name, "cgroup.procs", "0"); }

void cgroup_kill(const char *name) { write_to(name, "cgroup.kill", "1"); }
