/* The root shell of `hearth.console=shell`, kept running on its port. Never in a production build. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct shell {
  char port[40]; /* /dev/ttyS1 */
  pid_t pid;     /* 0: not running */
  int64_t due;   /* when to start it; NEVER while it runs, or when there is none */
};

/* `port` as the command line has it, "ttyS1"; "" for none. */
void shell_init(struct shell *shell, const char *port, int64_t now);
void shell_tick(struct shell *shell, int64_t now);
void shell_died(struct shell *shell, int64_t now);
