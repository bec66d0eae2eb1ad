/* sftp and scp over SSH: a server of files that sees /data, and nothing else of the device. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util.h"
#include "verbs.h"

/* Where Debian has it; its Dropbear asks for it by a shorter path. */
#define SFTP_SERVER "/usr/lib/openssh/sftp-server"
#define CELL "/tmp"

static bool names_sftp(const char *command) {
  return strcmp(command, SFTP_SERVER) == 0 || strcmp(command, "/usr/lib/sftp-server") == 0;
}

bool is_file_transfer(const char *command) { return names_sftp(command) || strncmp(command, "scp ", 4) == 0; }

/*
 * A root of its own, in mounts of its own: what a client names by mistake or on purpose is not there. Of the system it
 * has the libraries, which are read-only, and what sftp-server wants to see before it serves: a user and /dev/null.
 */
static bool enter_cell(void) {
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return false;
  if (mount("cell", CELL, "tmpfs", MS_NOSUID, "mode=755") < 0 || chdir(CELL) < 0) return false;
  mkdir("usr", 0755);
  mkdir("dev", 0755);
  mkdir("etc", 0755);
  mkdir("data", 0755);
  if (symlink("usr/lib", "lib") < 0 || symlink("usr/lib64", "lib64") < 0) return false;
  if (write_text("etc/passwd", O_CREAT, "root:x:0:0:root:/data:/bin/false\n") < 0) return false;
  if (mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)) < 0) return false;
  if (mount("/usr", "usr", NULL, MS_BIND, NULL) < 0 || mount("/data", "data", NULL, MS_BIND | MS_REC, NULL) < 0)
    return false;
  return mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 && chroot(".") == 0;
}

int transfer_files(const char *command) {
  char *const argv[] = {"sftp-server", "-d", "/data", NULL};
  /* The old protocol is a program that is started with any path; the new one of the same command is sftp. */
  if (!names_sftp(command)) {
    fputs("this device has scp's newer protocol only (sftp): take scp of OpenSSH 9 or later, or scp -s\n", stderr);
    return 1;
  }
  if (enter_cell()) execv(SFTP_SERVER, argv);
  perror("heart attach: no " SFTP_SERVER);
  return 1;
}
