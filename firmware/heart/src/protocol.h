/* The protocol of Erlang's heart: frames of a 2-byte big-endian length, then 1 byte of operation and its payload. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
  HEART_ACK = 1,
  HEART_BEAT = 2,
  HEART_SHUT_DOWN = 3,
  HEART_SET_CMD = 4,
  HEART_CLEAR_CMD = 5,
  HEART_GET_CMD = 6,
  HEART_CMD = 7,
  HEART_PREPARING_CRASH = 8,
};

/* What link_receive says besides an operation. */
enum { LINK_NOTHING = 0, LINK_CLOSED = -1 };

/* Longer frames are skipped whole, as Erlang's heart does. */
#define FRAME_BODY_MAX 2048

struct link {
  int in;
  int out;
  size_t have;                 /* bytes of the present frame, its length field included */
  size_t skip;                 /* bytes of an oversized frame still to be thrown away */
  uint8_t frame[2 + FRAME_BODY_MAX];
  char command[FRAME_BODY_MAX]; /* what SET_CMD left; empty: HEART_COMMAND counts */
};

void link_init(struct link *link, int in, int out);

/*
 * Call when `in` is readable: does one read(2), so that it cannot block. Answers SET_CMD, CLEAR_CMD and GET_CMD by
 * itself. Returns the operation of a frame that is now complete, LINK_NOTHING or LINK_CLOSED.
 */
int link_receive(struct link *link);

void link_ack(struct link *link);

/* The command that stands: SET_CMD's, or the environment's HEART_COMMAND, or "". */
const char *link_command(const struct link *link);
