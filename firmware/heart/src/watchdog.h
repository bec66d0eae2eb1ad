/* The hardware watchdog, by Linux's interface (Documentation/watchdog/watchdog-api.rst). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
  int fd;              /* -1: there is none */
  int64_t every_ms;    /* a third of what the driver grants */
  int64_t due;         /* when to pet next, NEVER without a watchdog */
  bool caused_reset;   /* the hardware says that it caused the last reset */
  char identity[33];
};

/* Opening it starts it; it is never closed. False when there is none. */
bool watchdog_open(struct watchdog *dog, const char *path, int64_t now);

/* Takes over the one that stage 1 opened, or opens it when the number is not one. */
void watchdog_adopt(struct watchdog *dog, const char *fd_number, const char *path, int64_t now);

/* Pets when it is time to. */
void watchdog_tick(struct watchdog *dog, int64_t now);
