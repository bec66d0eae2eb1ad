/* The two programs that heart keeps running beside hearthd: the SSH daemon, and the root shell of a serial port. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* `shell_port` as the command line has it, "ttyS1"; "" for no shell. */
void services_begin(const char *shell_port, int64_t now);

/* Starts what is to be started. Returns when there is something to do again. */
int64_t services_tick(int64_t now);

/* A child has died; it may have been one of them. */
void services_died(pid_t pid, int64_t now);
