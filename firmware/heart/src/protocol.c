#include "protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void link_init(struct link *link, int in, int out) {
  memset(link, 0, sizeof *link);
  link->in = in;
  link->out = out;
}

/* An answer that cannot be written is lost: whoever does not read its pipe must not stop heart. */
static void answer(struct link *link, int op, const char *text, size_t length) {
  uint8_t frame[3 + FRAME_BODY_MAX];
  frame[0] = (uint8_t)((length + 1) >> 8);
  frame[1] = (uint8_t)(length + 1);
  frame[2] = (uint8_t)op;
  memcpy(frame + 3, text, length);
  while (write(link->out, frame, length + 3) < 0 && errno == EINTR) continue;
}

void link_ack(struct link *link) { answer(link, HEART_ACK, "", 0); }

const char *link_command(const struct link *link) {
  const char *environment = getenv("HEART_COMMAND");
  if (link->command[0]) return link->command;
  return environment ? environment : "";
}

static int act(struct link *link, int op, size_t payload) {
  if (op == HEART_SET_CMD) {
    memcpy(link->command, link->frame + 3, payload);
    link->command[payload] = 0;
    link_ack(link);
  } else if (op == HEART_CLEAR_CMD) {
    link->command[0] = 0;
    link_ack(link);
  } else if (op == HEART_GET_CMD) {
    const char *command = link_command(link);
    size_t length = strlen(command);
    if (length < FRAME_BODY_MAX) answer(link, HEART_CMD, command, length);
  }
  return op;
}

int link_receive(struct link *link) {
  uint8_t junk[512];
  size_t body = link->have < 2 ? 0 : (size_t)link->frame[0] << 8 | link->frame[1];
  uint8_t *to = link->frame + link->have;
  size_t want = link->have < 2 ? 2 - link->have : body + 2 - link->have;
  if (link->skip) {
    to = junk;
    want = link->skip < sizeof junk ? link->skip : sizeof junk;
  }
  ssize_t n = read(link->in, to, want);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? LINK_NOTHING : LINK_CLOSED;
  if (n == 0) return LINK_CLOSED;
  if (link->skip) {
    link->skip -= (size_t)n;
    return LINK_NOTHING;
  }
  link->have += (size_t)n;
  if (link->have < 2) return LINK_NOTHING;
  body = (size_t)link->frame[0] << 8 | link->frame[1];
  if (body > FRAME_BODY_MAX) {
    link->skip = body;
    link->have = 0;
    return LINK_NOTHING;
  }
  if (link->have < body + 2) return LINK_NOTHING;
  link->have = 0;
  return body == 0 ? LINK_NOTHING : act(link, link->frame[2], body - 1);
}
