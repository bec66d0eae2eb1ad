/* What the kernel command line asks of heart, and where things are; docs/device.md lists the words. */
#pragma once

#include <stdbool.h>

#define BOOT_FILE "/run/hearth/boot"
/* The descriptor of the watchdog that stage 1 opened, for stage 2. */
#define WATCHDOG_FD_VARIABLE "HEART_WATCHDOG_FD"
#define WATCHDOG_PATH "/dev/watchdog0"

struct boot {
  char target[64];
  char uuid[64];
  char slot[2];     /* "" when the command line does not say */
  char console[16]; /* none, log or shell */
  char shell[32];   /* the port of the shell, or "" */
  int beat_seconds;
};

/* Reads /proc/cmdline; what it does not say gets its default. */
void boot_read(struct boot *boot);

/* mkdir and mount; a failure is said, and survived. */
void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *options);

/* Standard input, output and error exist from now on, so that no other file becomes one of them. */
void open_standard_files(void);

/* Says why, pets no more, and reboots after 5 s: the end of a boot that cannot go on. PID 1 must not exit. */
_Noreturn void boot_failed(const char *why);

/* The two halves of PID 1. */
int stage1(void);
int stage2(void);
