/* Small things that every part of heart needs. None of them can fail loudly: PID 1 must survive missing files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A deadline that never comes. */
#define NEVER INT64_MAX

/* Milliseconds of CLOCK_MONOTONIC: a laptop's sleep is not a missed beat. */
int64_t now_ms(void);

static inline int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

/* Milliseconds for poll(2) until `due`: 0 when it has passed, -1 for NEVER. */
int poll_timeout(int64_t due, int64_t now);

/* What is said goes to /dev/kmsg from now on and, when wanted, to /dev/console; before, to standard error. */
void log_to_device(bool with_console);

/* One line, without its newline. Never blocks and never fails: what cannot be written is lost. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Blocks these signals, up to a 0, and ignores SIGPIPE; they are read from the descriptor. -1 with errno. */
int signals_descriptor(const int *signals);

/* As a program expects signals when it is executed: none blocked, SIGPIPE not ignored. */
void signals_default(void);

/* Reads at most size-1 bytes and ends them with NUL. Returns the length, or -1 with errno. */
ssize_t read_text(const char *path, char *buffer, size_t size);

/* Writes text to an existing (kernel) file; with `flags` O_CREAT|O_TRUNC to an ordinary one. 0, or -1 with errno. */
int write_text(const char *path, int flags, const char *text);

/* Finds KEY=VALUE among words or lines; VALUE ends at a space or line end. False when there is none. */
bool find_value(const char *text, const char *key, char *value, size_t size);

/* A whole decimal number of at least `min`; false when it is anything else. */
bool parse_number(const char *text, long long min, long long *value);

/* CRC-32 as zlib, GPT and U-Boot have it (reflected 0x04C11DB7). */
uint32_t crc32(const void *data, size_t size);

uint32_t le32(const uint8_t *p);
uint64_t le64(const uint8_t *p);
