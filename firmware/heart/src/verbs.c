#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fallback.h"
#include "util.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int verb_wait(char **argv) {
  long long pid;
  if (!argv[0] || argv[1] || !parse_number(argv[0], 1, &pid)) {
    fprintf(stderr, "usage: heart wait PID\n");
    return EXIT_USAGE;
  }
  int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  /* Gone already is what was waited for. */
  if (fd < 0 && errno == ESRCH) return EXIT_OK;
  struct pollfd gone = {.fd = fd, .events = POLLIN};
  while (fd >= 0 && poll(&gone, 1, -1) < 0 && errno == EINTR) continue;
  if (gone.revents & POLLIN) return EXIT_OK;
  fprintf(stderr, "heart wait: process %lld: %s\n", pid, strerror(errno));
  return EXIT_FAILED;
}

int verb_one_shot(char **argv) {
  bool valid = argv[0] && !argv[1] && (strcmp(argv[0], "a") == 0 || strcmp(argv[0], "b") == 0);
  const char *error = valid ? one_shot_arm(argv[0][0]) : "usage: heart one-shot a|b";
  if (error) fprintf(stderr, "heart one-shot: %s\n", error);
  return !valid ? EXIT_USAGE : error ? EXIT_FAILED : EXIT_OK;
}

int verb_resize_part(char **argv) {
  long long number, start, size;
  if (!argv[0] || !argv[1] || !argv[2] || !argv[3] || argv[4] || !parse_number(argv[1], 1, &number) ||
      !parse_number(argv[2], 0, &start) || !parse_number(argv[3], 1, &size)) {
    fprintf(stderr, "usage: heart resize-part DISK NUMBER START SIZE   (bytes)\n");
    return EXIT_USAGE;
  }
  struct blkpg_partition partition = {.start = start, .length = size, .pno = (int)number};
  struct blkpg_ioctl_arg request = {.op = BLKPG_RESIZE_PARTITION, .datalen = sizeof partition, .data = &partition};
  int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
  int result = fd < 0 ? -1 : ioctl(fd, BLKPG, &request);
  if (result < 0) fprintf(stderr, "heart resize-part: %s partition %s: %s\n", argv[0], argv[1], strerror(errno));
  if (fd >= 0) close(fd);
  return result < 0 ? EXIT_FAILED : EXIT_OK;
}

int verb_test_watchdog(char **argv) {
  (void)argv;
  if (kill(1, SIGQUIT) == 0) return EXIT_OK;
  fprintf(stderr, "heart test-watchdog: %s\n", strerror(errno));
  return EXIT_FAILED;
}
