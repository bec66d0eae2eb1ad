#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>


/* The descriptor that the program finds its end of the socket at; HEART_FD says so. */
#define CHILD_FD 3
/* A process that SIGKILL does not end within this hangs in the kernel. */
#define KILL_WITHIN_MS 10000
#define READS_AT_ONCE 64

int restart_delay(struct restarts *restarts, int64_t now) {
  int kept = 0;
  for (int i = 0; i < restarts->count; i++)
    if (now - restarts->at[i] < RESTART_WINDOW_MS) restarts->at[kept++] = restarts->at[i];
  restarts->count = kept;
  if (kept == RESTARTS_MAX) return -1;
  restarts->at[restarts->count++] = now;
  return kept == 0 ? 0 : 1000 << (kept - 1);
}

_Noreturn static void become(const struct supervised *s, int socket) {
  char seconds[16];
  signals_default();
  if (s->in_child) s->in_child();
  if (socket == CHILD_FD)
    fcntl(socket, F_SETFD, 0);
  else
    dup2(socket, CHILD_FD);
  snprintf(seconds, sizeof seconds, "%d", s->beat_seconds);
  setenv("HEART_FD", "3", 1);
  setenv("HEART_BEAT_TIMEOUT", seconds, 1);
  execvp(s->argv[0], s->argv);
  say("cannot execute %s: %s", s->argv[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

static void close_link(struct supervised *s) {
  if (s->link.in >= 0) close(s->link.in);
  s->link.in = s->link.out = -1;
}

static void stay_ended(struct supervised *s, const char *why) {
  s->gave_up = why;
  s->phase = SUPERVISED_ENDED;
  s->due = NEVER;
}

static void again(struct supervised *s, int64_t now) {
  int delay = restart_delay(&s->restarts, now);
  if (delay < 0) {
    say("%s was restarted %d times within %d s: giving up", s->name, RESTARTS_MAX, RESTART_WINDOW_MS / 1000);
    stay_ended(s, "restarted too often");
    return;
  }
  if (delay > 0) say("starting %s again in %d s", s->name, delay / 1000);
  s->phase = SUPERVISED_WAITING;
  s->due = now + delay;
}

static void start(struct supervised *s, int64_t now) {
  int pair[2] = {-1, -1};
  pid_t pid = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -1 : fork();
  if (pid == 0) become(s, pair[1]);
  if (pair[1] >= 0) close(pair[1]);
  /* Only our end: whoever fills it by not reading must not stop heart. */
  if (pair[0] >= 0) fcntl(pair[0], F_SETFL, O_NONBLOCK);
  link_init(&s->link, pair[0], pair[0]);
  if (pid < 0) {
    say("cannot start %s: %s", s->name, strerror(errno));
    close_link(s);
    again(s, now);
    return;
  }
  s->pid = pid;
  s->phase = SUPERVISED_RUNNING;
  s->shut_down = false;
  s->heard = now;
  s->due = s->first_beat_ms ? now + s->first_beat_ms : NEVER;
  link_ack(&s->link);
  say("started %s, pid %d", s->name, (int)pid);
}

void supervise_begin(struct supervised *s, int64_t at) {
  s->link.in = s->link.out = -1;
  s->phase = SUPERVISED_WAITING;
  s->due = at;
  s->gave_up = NULL;
}

void supervise_tick(struct supervised *s, int64_t now) {
  if (now < s->due) return;
  if (s->phase == SUPERVISED_WAITING) {
    start(s, now);
  } else if (s->phase == SUPERVISED_RUNNING) {
    snprintf(s->end, sizeof s->end, "has not beaten for %lld ms", (long long)(now - s->heard));
    say("%s %s: killing it", s->name, s->end);
    kill(s->pid, SIGKILL);
    s->phase = SUPERVISED_KILLING;
    s->due = now + KILL_WITHIN_MS;
  } else if (s->phase == SUPERVISED_KILLING) {
    say("%s, pid %d, cannot be killed", s->name, (int)s->pid);
    s->gave_up = "cannot be killed";
    s->due = NEVER;
  }
}

static void hear(struct supervised *s, int op, int64_t now) {
  if (op == HEART_BEAT) {
    s->heard = now;
    if (s->phase == SUPERVISED_RUNNING && !s->shut_down && !s->stopping)
      s->due = now + (int64_t)s->beat_seconds * 1000;
  } else if (op == HEART_SHUT_DOWN) {
    s->shut_down = true;
    if (s->phase == SUPERVISED_RUNNING) s->due = NEVER;
  } else if (op == HEART_PREPARING_CRASH) {
    say("%s is crashing", s->name);
  } else if (op == LINK_CLOSED) {
    /* Without a socket it cannot beat any more; the deadline that stands will end it. */
    close_link(s);
  }
}

void supervise_readable(struct supervised *s, int64_t now) {
  /* Several reads, so that a beat that has come is heard before its deadline is looked at; not without end, or a
     program that floods us would be the only one served. */
  for (int i = 0; i < READS_AT_ONCE && s->link.in >= 0; i++) hear(s, link_receive(&s->link), now);
}

/* In words, and aloud; of one that was killed, the words that say why are there. */
static void say_end(struct supervised *s) {
  char end[sizeof s->end];
  if (WIFSIGNALED(s->status))
    snprintf(end, sizeof end, "was ended by signal %d (%s)", WTERMSIG(s->status), strsignal(WTERMSIG(s->status)));
  else
    snprintf(end, sizeof end, "ended with status %d", WEXITSTATUS(s->status));
  say("%s %s", s->name, end);
  if (s->phase != SUPERVISED_KILLING) memcpy(s->end, end, sizeof end);
}

void supervise_died(struct supervised *s, int status, int64_t now) {
  /* 126 and 127 say that there is nothing to execute, which no restart mends. */
  bool final = s->shut_down || (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 126 ||
                                                      WEXITSTATUS(status) == 127));
  s->pid = 0;
  s->status = status;
  s->gave_up = NULL;
  close_link(s);
  say_end(s);
  if (s->after_death) s->after_death();
  if (s->stopping || (s->until_success && final))
    stay_ended(s, NULL);
  else if (s->only_once && s->only_once())
    stay_ended(s, s->end);
  else
    again(s, now);
}

void supervise_stop(struct supervised *s, int signal) {
  s->stopping = true;
  if (s->phase == SUPERVISED_WAITING) s->phase = SUPERVISED_ENDED;
  if (s->phase != SUPERVISED_KILLING) s->due = NEVER;
  if (s->pid) kill(s->pid, signal);
}
