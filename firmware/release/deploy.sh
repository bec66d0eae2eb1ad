#!/bin/sh
# Puts a release on this server in the place of the one that runs, and the old one back if the new one is no good.
#
#   deploy.sh shop-1.2.0-linux_x64.tar.gz /srv/shop ['curl -fsS http://127.0.0.1:8080/health']
#
# /srv/shop/releases/ has the releases, /srv/shop/current is a link to the one that runs, /srv/shop/var outlives them all.
# The third argument is a command that must succeed before the new release counts as good.
set -eu

archive=$1 verify=${3-:}
mkdir -p "$2/releases"
base=$(cd "$2" && pwd -P)
HEARTH_VAR=$base/var
export HEARTH_VAR
say() { printf 'deploy: %s\n' "$*" >&2; }

staging=$base/releases/.staging
rm -rf "$staging"
mkdir "$staging"
trap 'rm -rf "$staging"' EXIT
tar xzf "$archive" -C "$staging"
title=$(ls "$staging")
. "$staging/$title/lib/release.env"
new=$base/releases/$title
if [ ! -e "$new" ]; then
  mv "$staging/$title" "$new"
elif [ "$(cat "$new/lib/release.json")" != "$(cat "$staging/$title/lib/release.json")" ]; then
  say "$new is there already, and is another one: give the new release a version of its own"
  exit 1
fi
old=$(readlink "$base/current" || :)

# A rename replaces the old link in one step: there is no moment without `current`.
turn_to() {
  ln -sfn "$1" "$base/current.new"
  mv -T "$base/current.new" "$base/current"
}

# Drain: the hook pre_stop takes the server out of the load balancer, and the app finishes what it has begun (onStop).
[ -z "$old" ] || "$base/current/bin/$NAME" stop
turn_to "$new"
# start runs pre_start (migrations) and returns when the app is healthy.
if "$base/current/bin/$NAME" start && sh -c "$verify"; then
  say "$title runs"
  exit 0
fi

say "$title is no good"
"$base/current/bin/$NAME" stop
if [ -z "$old" ]; then
  rm -f "$base/current"
else
  turn_to "$old"
  "$base/current/bin/$NAME" start
  say "back to ${old##*/}"
fi
exit 1
