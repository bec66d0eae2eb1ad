/*
 * heart attach: the program that every SSH session gets. It joins the session to hearthd's socket, in the frames of
 * src/otp/remote/frame.ts, and is a plain shell when hearthd does not answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "util.h"
#include "verbs.h"

#define CONTROL_SOCKET "/run/hearth/control.sock"
#define ANSWER_WITHIN_MS 5000
/* A hearthd that is being restarted has no socket for a moment. */
#define CONNECT_EVERY_MS 100
/* EX_UNAVAILABLE of sysexits.h: no status of hearthd's. */
#define EXIT_UNAVAILABLE 69

enum { REQUEST = 1, INPUT = 2, SIZE = 3, READY = 16, OUTPUT = 17, ERROR_OUTPUT = 18, EXIT = 19 };
#define HEADER_BYTES 5
#define PAYLOAD_MAX (64 * 1024)

/* One frame on its way up, or what has come down and is not passed on yet: all that a session keeps in memory. */
struct bytes {
  uint8_t data[HEADER_BYTES + PAYLOAD_MAX];
  size_t at, have;
};

static struct {
  int socket; /* -1: not connected */
  const char *command;
  bool terminal;       /* standard input and output are one */
  struct termios cooked;
  bool answered, input_ended, resized;
  struct bytes up, down;
  uint8_t header[HEADER_BYTES]; /* of the frame that comes down */
  size_t header_have;
  uint32_t left;  /* of its payload */
  int blocked_on; /* the descriptor that takes no more for now; -1: none */
  int status;     /* the session's end; -1: not yet */
} s;

static void end(int status, const char *message) {
  if (message) fprintf(stderr, "%s\n", message);
  s.status = status;
}

static void begin_up(uint8_t type, size_t length) {
  uint8_t header[] = {type, (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length};
  memcpy(s.up.data, header, sizeof header);
  s.up.at = 0;
  s.up.have = HEADER_BYTES + length;
}

static struct winsize terminal_size(void) {
  struct winsize size = {0};
  ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
  return size;
}

/* Texts that are parted by NUL: version, TERM or nothing, columns, rows, verb, the command as the client wrote it. */
static void put_request(void) {
  const char *type = getenv("TERM");
  struct winsize size = terminal_size();
  int length = snprintf((char *)s.up.data + HEADER_BYTES, PAYLOAD_MAX, "1%c%s%c%d%c%d%cssh%c%s", 0,
                        !s.terminal ? "" : type && type[0] ? type : "dumb", 0, size.ws_col, 0, size.ws_row, 0, 0,
                        s.command);
  if (length >= PAYLOAD_MAX) end(EXIT_UNAVAILABLE, "heart attach: the command is too long");
  else begin_up(REQUEST, (size_t)length);
}

static void put_size(void) {
  struct winsize size = terminal_size();
  uint8_t payload[] = {(uint8_t)(size.ws_col >> 8), (uint8_t)size.ws_col, (uint8_t)(size.ws_row >> 8),
                       (uint8_t)size.ws_row};
  memcpy(s.up.data + HEADER_BYTES, payload, sizeof payload);
  begin_up(SIZE, sizeof payload);
  s.resized = false;
}

/* An empty frame is the end of the input. A terminal that has hung up says EIO. */
static void put_input(void) {
  ssize_t n = read(STDIN_FILENO, s.up.data + HEADER_BYTES, PAYLOAD_MAX);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  s.input_ended = n <= 0;
  begin_up(INPUT, n > 0 ? (size_t)n : 0);
}

static void leave_socket(void) {
  close(s.socket);
  s.socket = -1;
  if (s.answered) end(EXIT_UNAVAILABLE, "heart attach: the session has broken off: hearthd is gone");
}

static void send_up(void) {
  ssize_t n = write(s.socket, s.up.data + s.up.at, s.up.have - s.up.at);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  /* A hearthd that has closed may have said something before: that is still read, and nothing more is sent. */
  s.input_ended |= n < 0;
  s.up.at += n < 0 ? s.up.have - s.up.at : (size_t)n;
}

static void connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  s.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  s.up.at = s.up.have = s.down.at = s.down.have = s.header_have = 0;
  s.input_ended = false;
  if (connect(s.socket, (struct sockaddr *)&address, sizeof address) < 0) leave_socket();
  else put_request();
}

/* Raw, but for the output: hearthd ends its lines as programs do. */
static void terminal_raw(void) {
  struct termios raw = s.cooked;
  raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
  raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
  raw.c_oflag |= ONLCR;
  raw.c_cflag |= CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void begin_down(void) {
  uint8_t type = s.header[0];
  s.left = (uint32_t)s.header[1] << 24 | (uint32_t)s.header[2] << 16 | (uint32_t)s.header[3] << 8 | s.header[4];
  if (type < READY || type > EXIT || s.left > PAYLOAD_MAX) {
    end(EXIT_UNAVAILABLE, "heart attach: what hearthd said is not of this protocol");
    return;
  }
  if (!s.answered && s.terminal) terminal_raw();
  s.answered = true;
}

/* Passes a part of a payload on. Returns how much of it is done with; 0 when the reader has to be waited for. */
static size_t take(const uint8_t *from, size_t length) {
  uint8_t type = s.header[0];
  int fd = type == OUTPUT ? STDOUT_FILENO : STDERR_FILENO;
  if (type == EXIT) end(*from, NULL);
  if (type == EXIT || type == READY) return length;
  ssize_t n = write(fd, from, length);
  if (n >= 0) return (size_t)n;
  if (errno == EAGAIN || errno == EINTR) s.blocked_on = fd;
  /* The session has nobody left to talk to. */
  else end(EXIT_UNAVAILABLE, NULL);
  return 0;
}

static void deliver(void) {
  s.blocked_on = -1;
  while (s.down.at < s.down.have && s.blocked_on < 0 && s.status < 0) {
    const uint8_t *from = s.down.data + s.down.at;
    size_t here = s.down.have - s.down.at;
    if (s.header_have < HEADER_BYTES) {
      s.header[s.header_have++] = *from;
      s.down.at++;
      if (s.header_have == HEADER_BYTES) begin_down();
    } else {
      size_t n = take(from, here < s.left ? here : s.left);
      s.down.at += n;
      s.left -= (uint32_t)n;
    }
    if (s.header_have == HEADER_BYTES && s.left == 0) s.header_have = 0;
  }
}

static void receive(void) {
  ssize_t n = read(s.socket, s.down.data, sizeof s.down.data);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  s.down.at = 0;
  s.down.have = n > 0 ? (size_t)n : 0;
  if (n <= 0) leave_socket();
}

static void obey(int signals) {
  struct signalfd_siginfo info;
  if (read(signals, &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo == SIGWINCH) s.resized = s.terminal;
  else end(128 + (int)info.ssi_signo, NULL);
}

static void turn(const char *path, int signals, int64_t deadline) {
  bool sending = s.up.at < s.up.have, receiving = s.down.at == s.down.have;
  bool may_read = s.answered && !sending && !s.input_ended;
  int events = (sending ? POLLOUT : 0) | (receiving ? POLLIN : 0);
  /* What is not waited for is left out: a peer that has hung up would be news at every turn. */
  struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                         {.fd = events ? s.socket : -1, .events = (short)events},
                         {.fd = may_read ? STDIN_FILENO : -1, .events = POLLIN},
                         {.fd = STDOUT_FILENO, .events = s.blocked_on == STDOUT_FILENO ? POLLOUT : 0},
                         {.fd = s.blocked_on == STDERR_FILENO ? STDERR_FILENO : -1, .events = POLLOUT}};
  int64_t now = now_ms();
  if (s.socket < 0) deadline = earlier(deadline, now + CONNECT_EVERY_MS);
  poll(fds, sizeof fds / sizeof *fds, poll_timeout(s.answered ? NEVER : deadline, now));
  if (fds[0].revents) obey(signals);
  if (s.socket < 0) connect_to(path);
  if (fds[1].revents & ~POLLOUT && receiving && s.socket >= 0) receive();
  if (fds[2].revents) put_input();
  else if (may_read && s.resized) put_size();
  /* What is new goes at once; what did not fit, when the socket has said that it does. */
  if (s.up.at < s.up.have && s.socket >= 0) send_up();
  /* Also without output: a client that is gone must not leave hearthd with a session that waits. */
  if (fds[3].revents & (POLLERR | POLLHUP)) end(EXIT_UNAVAILABLE, NULL);
  if (s.status < 0) deliver();
}

_Noreturn static void rescue(void) {
  char *const argv[] = {"sh", "-l", NULL};
  puts("hearthd does not answer: this is a plain shell of the system.");
  fflush(stdout);
  execv("/bin/busybox", argv);
  perror("heart attach: /bin/busybox");
  _exit(EXIT_UNAVAILABLE);
}

int verb_attach(char **argv) {
  int flags[3];
  const char *command = getenv("SSH_ORIGINAL_COMMAND"), *path = argv[0] ? argv[0] : CONTROL_SOCKET;
  s.command = command ? command : "";
  if (is_file_transfer(s.command)) return transfer_files(s.command);
  s.socket = s.blocked_on = s.status = -1;
  s.terminal = isatty(STDOUT_FILENO) && tcgetattr(STDIN_FILENO, &s.cooked) == 0;
  int signals = signals_descriptor((const int[]){SIGWINCH, SIGHUP, SIGTERM, 0});
  for (int fd = 0; fd < 3; fd++) {
    flags[fd] = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags[fd] | O_NONBLOCK);
  }
  int64_t deadline = now_ms() + ANSWER_WITHIN_MS;
  connect_to(path);
  while (s.status < 0 && (s.answered || now_ms() < deadline)) turn(path, signals, deadline);
  /* Whoever had the terminal before has it after. */
  for (int fd = 2; fd >= 0; fd--) fcntl(fd, F_SETFL, flags[fd]);
  if (s.answered && s.terminal) tcsetattr(STDIN_FILENO, TCSANOW, &s.cooked);
  signals_default();
  if (s.status >= 0) return s.status;
  if (s.terminal) rescue();
  fputs("heart attach: hearthd does not answer\n", stderr);
  return EXIT_UNAVAILABLE;
}
