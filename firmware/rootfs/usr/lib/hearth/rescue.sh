#!/bin/sh
# What heart runs in rescue whenever hearthd has died there: SSH and the network, so that somebody can log in. It puts the same
# things in the same places as hearthd does, and leaves alone what is there: a hearthd that comes back takes them over.
set -u
run=/run/hearth
net=$run/net
ssh=$run/ssh

# Where src/update/layout.ts has the two copies of the identity; src/update/identity.ts has their form.
IDENTITY_SIZE=65536
IDENTITY_OFFSETS='2097152 6291456'

say() {
  echo "<5>rescue: $*" >/dev/kmsg
}

# The JSON of the newer copy that is whole; nothing where there is none. Nothing of it goes through a file: /run may be full.
identity() {
  disk=$(sed -n 's/^DISK=//p' "$run/boot")
  newest=-1 json=
  for offset in $IDENTITY_OFFSETS; do
    hex=$(dd if="$disk" bs=$IDENTITY_SIZE skip=$((offset / IDENTITY_SIZE)) count=1 2>/dev/null | xxd -p | tr -d '\n')
    if [ ${#hex} -ne $((2 * IDENTITY_SIZE)) ]; then
      say "the identity at byte $offset of $disk cannot be read"
      continue
    fi
    # HEARTHID
    [ "${hex:0:16}" = 4845415254484944 ] || continue
    counter=$((0x${hex:16:8})) length=$((0x${hex:24:8})) content=${hex:40}
    content=${content:0:$((2 * length))}
    if [ "$(printf '%s' "${hex:16:16}$content" | xxd -r -p | busybox crc32)" != "${hex:32:8}" ]; then
      say "the identity at byte $offset of $disk is damaged"
    elif [ $counter -gt $newest ]; then
      newest=$counter json=$(printf '%s' "$content" | xxd -r -p)
    fi
  done
  printf '%s\n' "$json"
}

# Type and Base64 of each text in the list of keys. Inside a JSON text a quote has a backslash before it: what a comment
# says begins no text, and ends no list. Older versions kept the tabs and spaces that a line came with.
operator_keys() {
  grep -oE '"operatorKeys":\[("([^"\\]|\\.)*",?)*' | grep -oE '[[,]"[a-z0-9@.-]+( |\\t)+[A-Za-z0-9+/=]+' |
    sed -E 's/^..//; s/( |\\t)+/ /'
}

# heart starts the daemon as soon as the host key is there. Where nobody may log in there is none.
open_ssh() (
  [ ! -e $ssh/host_key ] || return
  umask 077
  mkdir -p $ssh
  identity=$(identity)
  keys=$(cat /etc/hearth/authorized-keys 2>/dev/null; printf '%s\n' "$identity" | operator_keys)
  [ -n "$keys" ] || return
  host_key=$(printf '%s\n' "$identity" | sed -n 's/.*"hostKey":"\([^"]*\)".*/\1/p')
  rm -f $ssh/host_key.new
  if [ -n "$host_key" ]; then
    printf '%s' "$host_key" | busybox base64 -d >$ssh/host_key.new
  else
    say 'the disk gives no host key: SSH has a new one, until the next boot'
    dropbearkey -t ed25519 -f $ssh/host_key.new >/dev/null 2>&1
  fi && printf '%s\n' "$keys" >$ssh/authorized_keys && mv $ssh/host_key.new $ssh/host_key ||
    say "SSH stays closed: its keys cannot be written to $ssh"
)

# The modules of the devices that no pass before has seen: buses bring devices with buses.
load_modules() {
  find /sys/devices -name modalias -exec cat {} + | sort -u | grep -vxFf "$1" | tee -a "$1" |
    tr '\n' '\0' | xargs -0 -r -n 100 modprobe -abq
}

# As src/device/network/interfaces.ts has it: Ethernet, of a device, without a radio.
is_wired() {
  [ "$(cat "$1/type")" = 1 ] && [ -e "$1/device" ] && [ ! -e "$1/wireless" ] && [ ! -e "$1/phy80211" ]
}

# One client for each interface, whoever has started it (src/device/network/dhcp.ts).
ask_for_address() {
  pid=$(cat "$net/$1.pid" 2>/dev/null) && grep -q udhcpc "/proc/$pid/cmdline" 2>/dev/null && return
  say "$1 asks for an address"
  HEARTH_NET=$net busybox udhcpc -f -i "$1" -s /usr/lib/hearth/udhcpc.script -p "$net/$1.pid" \
    -t 4 -T 2 -A 5 -x "hostname:$(hostname)" </dev/null >/dev/null 2>&1 &
}

open_ssh
# network.dhcp of fw.config.ts: then no interface asks for an address, in rescue neither.
grep -q '"dhcp": false' /etc/hearth/firmware.json && exit
mkdir -p $net
seen=$(mktemp)
# An empty list would be taken for no list.
echo >"$seen"
for pass in 1 2 3 4 5 6; do
  load_modules "$seen"
  for path in /sys/class/net/*; do
    is_wired "$path" && ask_for_address "${path##*/}"
  done
  # USB tells what is plugged into it when it has asked.
  sleep 1
done
rm "$seen"
