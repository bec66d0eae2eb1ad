#!/bin/sh
# Starts, stops and questions one release of an app: `fw release` puts it into bin/, under the app's name.
# It needs a POSIX shell and cat, mkdir, mv, readlink, rm, sleep and tail; no npm, and no Node but its own.
set -eu

# Through links such as `current`, so that what runs stays in its own folder when the link is turned.
self=$(readlink -f "$0")
root=${self%/bin/*}
lib=$root/lib
. "$lib/release.env"

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
fail() { say "$*"; exit 1; }
wrong() { say "$*"; exit 2; }

HEARTH_ROOT=$root
set -a
. "$root/env.sh"
set +a
HEARTH_VAR=${HEARTH_VAR:-$root/var}
export HEARTH_ROOT HEARTH_VAR
pidfile=$HEARTH_VAR/run/$NAME.pid
ready=$HEARTH_VAR/run/$NAME.ready
log=$HEARTH_VAR/log/$NAME.log

# Field 3, the state, and field 22, when it started, of /proc/PID/stat: a number that was given to another process since
# is not ours. The name in field 2 may hold blanks and brackets.
stat_of() {
  state='' started=''
  [ -r "/proc/$1/stat" ] || return 1
  { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -f
  # shellcheck disable=SC2086
  set -- ${line##*) }
  set +f
  state=$1 started=${20}
}

# Whether the process that the pid file names runs: sets pid.
running() {
  pid='' since=''
  [ -r "$pidfile" ] || return 1
  { read -r pid since; } <"$pidfile" || return 1
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  stat_of "$pid" && [ "$state" != Z ] && [ "$state" != X ] && [ "$started" = "$since" ]
}

write_pid() {
  stat_of "$1" || return 1
  printf '%s %s\n' "$1" "$started" >"$pidfile.new"
  mv -f "$pidfile.new" "$pidfile"
}

hook() {
  [ -x "$root/hooks/$1" ] || return 0
  (cd "$root" && "$root/hooks/$1")
}

# Of several starts at once only one goes on: each puts down a file of its own, with its number and when it started, and only
# then looks for others. Of two, at least the second sees the other; two that see each other step back, and try again. The
# file of a start that was killed counts for nothing.
claim_start() {
  for attempt in 1 2 3 4; do
    stat_of $$
    claimed=$HEARTH_VAR/run/$NAME.start.$$.$started
    : >"$claimed"
    other=''
    for each in "$HEARTH_VAR/run/$NAME.start."*; do
      [ "$each" != "$claimed" ] || continue
      who=${each#"$HEARTH_VAR/run/$NAME.start."}
      if stat_of "${who%.*}" && [ "$state" != Z ] && [ "$started" = "${who#*.}" ]; then other=${who%.*}; else rm -f "$each"; fi
    done
    [ -n "$other" ] || return 0
    unclaim
    sleep "0.$(($$ / attempt % 9 + 1))"
  done
  fail "it is being started already, by process $other"
}

unclaim() { rm -f "$claimed"; }

prepare() {
  mkdir -p "$HEARTH_VAR/run" "$HEARTH_VAR/log" "$HEARTH_VAR/data"
  claim_start
  trap unclaim EXIT
  if running; then fail "it runs already, pid $pid"; fi
  rm -f "$pidfile" "$ready"
  hook pre_start || fail "the hook pre_start failed (status $?): not started"
}

console() {
  prepare
  # exec keeps the number, and the time of the start.
  write_pid $$
  unclaim
  exec "$lib/heart" -- "$lib/node" --disable-warning=ExperimentalWarning "$lib/hearthd.mjs"
}

daemon() {
  prepare
  # heart's own words, and those of a hearthd that cannot write its log.
  HEARTH_LOG=$log "$lib/heart" exec --setsid -- "$lib/heart" -- \
    "$lib/node" --disable-warning=ExperimentalWarning "$lib/hearthd.mjs" \
    </dev/null >"$HEARTH_VAR/log/$NAME.heart.log" 2>&1 &
  write_pid $! || fail 'it ended at once'
  unclaim
  if ! await_ready; then
    say "it did not become healthy within ${HEARTH_START_SECONDS:-90} s, or ended; the end of $log:"
    tail -n 8 "$log" "$HEARTH_VAR/log/$NAME.heart.log" >&2 || :
    if running; then end; fi
    exit 1
  fi
  hook post_start || fail "the hook post_start failed (status $?); the app runs"
}

await_ready() {
  tries=$((${HEARTH_START_SECONDS:-90} * 10))
  until [ -e "$ready" ]; do
    running || return 1
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

# The app has its stop time; hearthd ends it by force when that is over, and needs a moment more itself.
end() {
  kill -TERM "$pid" 2>/dev/null || :
  tries=$(((STOP_SECONDS + 5) * 10))
  while running; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      say "it did not stop within $((STOP_SECONDS + 5)) s: killed"
      # hearthd ends when heart is gone, and the app when hearthd is.
      kill -KILL "$pid" 2>/dev/null || :
    fi
    sleep 0.1
  done
  rm -f "$pidfile" "$ready"
}

stop() {
  if ! running; then
    rm -f "$pidfile"
    return 0
  fi
  hook pre_stop || say "the hook pre_stop failed (status $?): stopping all the same"
  end
}

call_app() {
  running || fail 'it does not run'
  exec "$lib/node" --disable-warning=ExperimentalWarning "$lib/hearthd.mjs" "$@"
}

usage() {
  cat <<END
usage: $NAME start             in the background; returns when the app is healthy
       $NAME start --console   in the foreground, for systemd, containers and people
       $NAME daemon            the same as start
       $NAME stop | restart | pid | version
       $NAME eval EXPR|FILE    in a Node of its own, in the release's environment
       $NAME rpc EXPR          inside the app that runs: prints the value
       $NAME remote            a console inside the app that runs
END
}

case ${1-} in
  start)
    case ${2-} in
      '') daemon ;;
      --console) console ;;
      *) wrong "unknown option '$2'" ;;
    esac
    ;;
  daemon) daemon ;;
  stop) stop ;;
  restart) stop && daemon ;;
  pid) running || fail 'it does not run'; printf '%s\n' "$pid" ;;
  version) printf '%s %s\n' "$NAME" "$VERSION" ;;
  eval)
    [ $# -eq 2 ] || wrong 'eval takes one expression, or a file'
    mkdir -p "$HEARTH_VAR/data"
    exec "$lib/node" --disable-warning=ExperimentalWarning "$lib/hearthd.mjs" eval "$2"
    ;;
  rpc)
    [ $# -eq 2 ] || wrong 'rpc takes one expression'
    call_app "$@"
    ;;
  remote)
    [ $# -eq 1 ] || wrong 'remote takes no arguments'
    call_app remote
    ;;
  help | -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
