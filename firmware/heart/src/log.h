/* Where heart's words go: kmsg and console on a device, standard error elsewhere. */
#pragma once

#include <stdbool.h>

/* From now on to /dev/kmsg and, when wanted, /dev/console. Either may be missing. */
void log_to_device(bool with_console);

/* One line, without its newline. Never blocks and never fails: what cannot be written is lost. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
