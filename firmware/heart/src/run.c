/* heart -- PROGRAM: what heart does for hearthd on a device, for any program on a server or laptop. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise.h"
#include "util.h"
#include "verbs.h"

#define DEFAULT_BEAT_SECONDS 10

static struct supervised program;

static void reap(int64_t now) {
  int status;
  pid_t pid;
  /* Orphans as well: in a container this is PID 1. */
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    if (pid == program.pid) supervise_died(&program, status, now);
}

static void obey(const struct signalfd_siginfo *info, int64_t now) {
  /* A terminal's Ctrl-C has gone to the program as well; a second one would cut its farewell short. */
  int signal = info->ssi_code == SI_KERNEL ? 0 : (int)info->ssi_signo;
  if (info->ssi_signo == SIGCHLD) reap(now);
  else supervise_stop(&program, signal);
}

static int exit_status(void) {
  if (program.gave_up) return 1;
  return WIFSIGNALED(program.status) ? 128 + WTERMSIG(program.status) : WEXITSTATUS(program.status);
}

int verb_run(char **argv) {
  const char *seconds = getenv("HEART_BEAT_TIMEOUT");
  struct signalfd_siginfo info;
  long long beat;
  int signals = signals_descriptor((const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0});
  bool given = seconds && parse_number(seconds, 1, &beat) && beat <= 65535;
  if (seconds && !given) say("HEART_BEAT_TIMEOUT=%s is not 1 to 65535 s: taking %d", seconds, DEFAULT_BEAT_SECONDS);
  program = (struct supervised){.name = argv[0],
                                .argv = argv,
                                .beat_seconds = given ? (int)beat : DEFAULT_BEAT_SECONDS,
                                .until_success = true};
  supervise_begin(&program, now_ms());
  for (;;) {
    int64_t now = now_ms();
    supervise_tick(&program, now);
    if (program.phase == SUPERVISED_ENDED || program.gave_up) return exit_status();
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = program.link.in, .events = POLLIN}};
    poll(fds, 2, poll_timeout(program.due, now));
    now = now_ms();
    if (fds[1].revents) supervise_readable(&program, now);
    while (read(signals, &info, sizeof info) == sizeof info) obey(&info, now);
  }
}
