/* Erlang/OTP's heart, as a drop-in: guards the virtual machine at the other end of standard input and output. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol.h"
#include "util.h"
#include "verbs.h"

#define DEFAULT_TIMEOUT_SECONDS 60
#define TIMEOUT_MAX_SECONDS 65535
/* How long a machine that has closed the pipe may take to end by itself; and to end once signalled. */
#define END_WITHIN_MS 5000

enum ending { ENDED_ORDERLY, ENDED_CLOSED, ENDED_TIMEOUT, ENDED_CRASHING };

struct erlang {
  struct link link;
  int pidfd; /* of the machine; -1 when not given, or gone already. A pid could be another process's by then. */
  int64_t timeout_ms;
};

static void set_timeout(struct erlang *e, const char *text) {
  char *end;
  long seconds = text ? strtol(text, &end, 0) : 0;
  if (text && *text && !*end && seconds >= 1 && seconds <= TIMEOUT_MAX_SECONDS) e->timeout_ms = seconds * 1000;
}

static void parse(struct erlang *e, char **argv) {
  long long pid;
  e->timeout_ms = DEFAULT_TIMEOUT_SECONDS * 1000;
  e->pidfd = -1;
  set_timeout(e, getenv("HEART_BEAT_TIMEOUT"));
  for (; *argv; argv++) {
    /* Unknown arguments are passed over, as Erlang's heart does. */
    if (strcmp(*argv, "-ht") == 0 && argv[1]) set_timeout(e, *++argv);
    else if (strcmp(*argv, "-pid") == 0 && argv[1] && parse_number(*++argv, 1, &pid))
      e->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  }
}

static enum ending listen_to(struct erlang *e) {
  int64_t heard = now_ms();
  link_ack(&e->link);
  for (;;) {
    int64_t now = now_ms();
    struct pollfd in = {.fd = e->link.in, .events = POLLIN};
    int ready = poll(&in, 1, poll_timeout(heard + e->timeout_ms, now));
    now = now_ms();
    if (ready == 0 && now >= heard + e->timeout_ms) {
      say("heart-beat time-out, no activity for %lld ms", (long long)(now - heard));
      return ENDED_TIMEOUT;
    }
    if (ready <= 0) continue;
    switch (link_receive(&e->link)) {
      case HEART_BEAT:
        heard = now;
        break;
      case HEART_SHUT_DOWN:
        return ENDED_ORDERLY;
      case HEART_PREPARING_CRASH:
        say("Erlang is crashing (waiting for its crash dump)");
        return ENDED_CRASHING;
      case LINK_CLOSED:
        say("Erlang has closed");
        return ENDED_CLOSED;
      default:
        break;
    }
  }
}

/* ERL_CRASH_DUMP_SECONDS: how long the machine may write its dump; negative: until it closes the pipe. */
static void wait_for_dump(const struct erlang *e) {
  const char *seconds = getenv("ERL_CRASH_DUMP_SECONDS");
  struct pollfd in = {.fd = e->link.in, .events = POLLIN};
  if (seconds) poll(&in, 1, atoi(seconds) < 0 ? -1 : atoi(seconds) * 1000);
}

static bool ends_within(int pidfd, int ms) {
  struct pollfd gone = {.fd = pidfd, .events = POLLIN};
  return poll(&gone, 1, ms) > 0;
}

static void send(int pidfd, int signal) { syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

/* Two machines at once would be worse than none: the old one has to be gone before the command starts another. */
static void kill_machine(int pidfd, enum ending ending) {
  const char *keep = getenv("HEART_NO_KILL"), *wanted = getenv("HEART_KILL_SIGNAL");
  int signal = wanted && strcmp(wanted, "SIGABRT") == 0 ? SIGABRT : SIGKILL;
  if (pidfd < 0 || (keep && strcmp(keep, "TRUE") == 0)) return;
  if (ending == ENDED_CLOSED) {
    if (ends_within(pidfd, END_WITHIN_MS)) return;
    say("Erlang is still alive: killing it");
  }
  send(pidfd, signal);
  if (ends_within(pidfd, END_WITHIN_MS)) return;
  /* A stopped machine does not see SIGABRT. */
  send(pidfd, SIGKILL);
  if (!ends_within(pidfd, END_WITHIN_MS)) say("Erlang cannot be killed");
}

int verb_erlang(char **argv) {
  static struct erlang e;
  signal(SIGPIPE, SIG_IGN);
  parse(&e, argv);
  link_init(&e.link, STDIN_FILENO, STDOUT_FILENO);
  enum ending ending = listen_to(&e);
  if (ending == ENDED_ORDERLY) return 0;
  if (ending == ENDED_CRASHING) wait_for_dump(&e);
  const char *command = link_command(&e.link);
  if (!command[0]) {
    say("would reboot: no command is set");
    return 0;
  }
  kill_machine(e.pidfd, ending);
  signal(SIGPIPE, SIG_DFL);
  int status = system(command);
  say("executed \"%s\" -> %d", command, status);
  return 0;
}
