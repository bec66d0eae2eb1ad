/* heart exec: becomes a program, as another user, within limits, in a cgroup, and dying with its parent. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"
#include "verbs.h"

/* As a shell has it; 125, as env(1) and nohup(1), when heart itself fails before the program's turn. */
enum { EXIT_HEART = 125, EXIT_CANNOT_EXECUTE = 126, EXIT_NOT_FOUND = 127 };

#define GROUPS_MAX 64
#define LIMITS_MAX 16

struct exec {
  bool change_user;
  uid_t uid;
  gid_t gid;
  gid_t groups[GROUPS_MAX];
  int group_count; /* -1: not given */
  const char *cgroup, *cwd;
  int limit_count;
  struct { int resource; struct rlimit limit; } limits[LIMITS_MAX];
  int death_signal;
  bool session, no_new_privs, set_nice;
  int nice;
  const char *oom;
};

static _Noreturn void fail(const char *what, const char *which, const char *why) {
  fprintf(stderr, "heart exec: %s %s: %s\n", what, which, why);
  exit(EXIT_HEART);
}

static void parse_user(struct exec *e, const char *name) {
  long long number;
  bool numeric = parse_number(name, 0, &number) && number < UINT_MAX;
  struct passwd *user = numeric ? getpwuid((uid_t)number) : getpwnam(name);
  if (!user && !numeric) fail("--user", name, "no such user");
  e->change_user = true;
  e->uid = user ? user->pw_uid : (uid_t)number;
  e->gid = user ? user->pw_gid : (gid_t)number;
}

static void parse_groups(struct exec *e, char *names) {
  e->group_count = 0;
  for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
    long long number;
    struct group *group = getgrnam(name);
    if (!group && !(parse_number(name, 0, &number) && number < UINT_MAX)) fail("--groups", name, "no such group");
    if (e->group_count == GROUPS_MAX) fail("--groups", name, "too many groups");
    e->groups[e->group_count++] = group ? group->gr_gid : (gid_t)number;
  }
}

static rlim_t limit_value(const char *option, const char *text) {
  long long number;
  if (strcmp(text, "unlimited") == 0) return RLIM_INFINITY;
  if (!parse_number(text, 0, &number)) fail("--rlimit", option, "expected NAME=N, NAME=SOFT:HARD or unlimited");
  return (rlim_t)number;
}

static void parse_limit(struct exec *e, const char *option) {
  static const struct { const char *name; int resource; } known[] = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},     {"cpu", RLIMIT_CPU},     {"data", RLIMIT_DATA},
      {"fsize", RLIMIT_FSIZE},     {"memlock", RLIMIT_MEMLOCK}, {"nice", RLIMIT_NICE},   {"nofile", RLIMIT_NOFILE},
      {"nproc", RLIMIT_NPROC},     {"rtprio", RLIMIT_RTPRIO}, {"rttime", RLIMIT_RTTIME}, {"stack", RLIMIT_STACK},
  };
  char text[64];
  snprintf(text, sizeof text, "%s", option);
  char *value = strchr(text, '=');
  if (!value) fail("--rlimit", option, "expected NAME=N");
  *value++ = 0;
  char *hard = strchr(value, ':');
  if (hard) *hard++ = 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, text) != 0) continue;
    if (e->limit_count == LIMITS_MAX) fail("--rlimit", option, "too many limits");
    struct rlimit limit = {limit_value(option, value), limit_value(option, hard ? hard : value)};
    e->limits[e->limit_count].resource = known[i].resource;
    e->limits[e->limit_count++].limit = limit;
    return;
  }
  fail("--rlimit", option, "no such limit");
}

static int parse_signal(const char *name) {
  static const struct { const char *name; int number; } known[] = {
      {"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
      {"TERM", SIGTERM},
  };
  long long number;
  const char *bare = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcasecmp(known[i].name, bare) == 0) return known[i].number;
  if (!parse_number(name, 1, &number) || number > 64) fail("--pdeathsig", name, "no such signal");
  return (int)number;
}

/* Takes the options; returns PROGRAM and its arguments. */
static char **parse(struct exec *e, char **argv) {
  e->group_count = -1;
  for (; *argv && strcmp(*argv, "--") != 0; argv++) {
    char *option = *argv;
    long long number;
    bool session = strcmp(option, "--setsid") == 0, no_new_privs = strcmp(option, "--no-new-privs") == 0;
    e->session |= session;
    e->no_new_privs |= no_new_privs;
    if (session || no_new_privs) continue;
    char *value = argv[1];
    if (!value || strcmp(value, "--") == 0) fail("option", option, "unknown, or its value is missing");
    argv++;
    if (strcmp(option, "--user") == 0) parse_user(e, value);
    else if (strcmp(option, "--groups") == 0) parse_groups(e, value);
    else if (strcmp(option, "--cgroup") == 0) e->cgroup = value;
    else if (strcmp(option, "--cwd") == 0) e->cwd = value;
    else if (strcmp(option, "--rlimit") == 0) parse_limit(e, value);
    else if (strcmp(option, "--pdeathsig") == 0) e->death_signal = parse_signal(value);
    else if (strcmp(option, "--oom-score-adj") == 0) e->oom = value;
    else if (strcmp(option, "--nice") == 0 && parse_number(value, -20, &number) && number <= 19) {
      e->set_nice = true;
      e->nice = (int)number;
    } else fail(option, value, "unknown option or bad value");
  }
  if (!*argv || !argv[1]) fail("usage:", "heart exec [OPTIONS] -- PROGRAM [ARG...]", "no program given");
  return argv + 1;
}

/* What needs root goes first; the user changes near the end. */
static void apply(const struct exec *e, pid_t parent) {
  char path[512];
  if (e->cgroup) {
    mkdir(e->cgroup, 0755);
    snprintf(path, sizeof path, "%s/cgroup.procs", e->cgroup);
    if (write_text(path, 0, "0") < 0) fail("--cgroup", e->cgroup, strerror(errno));
  }
  if (e->oom && write_text("/proc/self/oom_score_adj", 0, e->oom) < 0) fail("--oom-score-adj", e->oom, strerror(errno));
  for (int i = 0; i < e->limit_count; i++)
    if (setrlimit(e->limits[i].resource, &e->limits[i].limit) < 0) fail("--rlimit", "", strerror(errno));
  if (e->set_nice && setpriority(PRIO_PROCESS, 0, e->nice) < 0) fail("--nice", "", strerror(errno));
  /* Fails only for a process group's leader, which Node's `detached` makes: that has its session already. */
  if (e->session) setsid();
  /* A changed user without --groups keeps none of root's groups. */
  size_t count = e->group_count > 0 ? (size_t)e->group_count : 0;
  if ((e->group_count >= 0 || e->change_user) && setgroups(count, e->groups) < 0)
    fail("--groups", "", strerror(errno));
  if (e->change_user && (setresgid(e->gid, e->gid, e->gid) < 0 || setresuid(e->uid, e->uid, e->uid) < 0))
    fail("--user", "", strerror(errno));
  if (e->cwd && chdir(e->cwd) < 0) fail("--cwd", e->cwd, strerror(errno));
  if (e->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("--no-new-privs", "", strerror(errno));
  if (e->death_signal) {
    /* After the change of user, which clears it. A parent that has died meanwhile would never be noticed. */
    prctl(PR_SET_PDEATHSIG, e->death_signal, 0, 0, 0);
    if (getppid() != parent) raise(e->death_signal);
  }
}

int verb_exec(char **argv) {
  static struct exec e;
  pid_t parent = getppid();
  char **program = parse(&e, argv);
  apply(&e, parent);
  execvp(program[0], program);
  int error = errno;
  fprintf(stderr, "heart exec: %s: %s\n", program[0], strerror(error));
  return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}
