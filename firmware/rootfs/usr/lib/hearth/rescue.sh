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

# The JSON of the newer copy that is whole; nothing where there is none.
identity() {
  disk=$(sed -n 's/^DISK=//p' "$run/boot")
  copy=$ssh/identity
  newest=-1 json=
  for offset in $IDENTITY_OFFSETS; do
    dd if="$disk" bs=$IDENTITY_SIZE skip=$((offset / IDENTITY_SIZE)) count=1 of="$copy" 2>/dev/null || continue
    [ "$(head -c 8 "$copy")" = HEARTHID ] || continue
    counter=$((0x$(xxd -p -s 8 -l 4 "$copy"))) length=$((0x$(xxd -p -s 12 -l 4 "$copy")))
    checksum=$({ tail -c +9 "$copy" | head -c 8; tail -c +21 "$copy" | head -c $length; } | busybox crc32)
    [ "$checksum" = "$(xxd -p -s 16 -l 4 "$copy")" ] && [ $counter -gt $newest ] || continue
    newest=$counter json=$(tail -c +21 "$copy" | head -c $length)
  done
  rm -f "$copy"
  printf '%s\n' "$json"
}

# heart starts the daemon as soon as the host key is there. Where nobody may log in there is none.
open_ssh() (
  [ ! -e $ssh/host_key ] || return
  umask 077
  mkdir -p $ssh
  identity=$(identity)
  {
    cat /etc/hearth/authorized-keys 2>/dev/null
    # Type and Base64 of each text in the list. In no other text of the identity a word and a space follow a quote.
    printf '%s\n' "$identity" | sed -n 's/.*"operatorKeys"://p' | grep -o '"[a-z0-9@.-]* [A-Za-z0-9+/=]*' | tr -d '"'
  } >$ssh/authorized_keys
  [ -s $ssh/authorized_keys ] || return
  rm -f $ssh/host_key.new
  printf '%s\n' "$identity" | sed -n 's/.*"hostKey":"\([^"]*\)".*/\1/p' | busybox base64 -d >$ssh/host_key.new
  if [ ! -s $ssh/host_key.new ]; then
    say 'no host key is left on the disk: SSH has a new one, until the next boot'
    rm $ssh/host_key.new
    dropbearkey -t ed25519 -f $ssh/host_key.new >/dev/null 2>&1
  fi
  mv $ssh/host_key.new $ssh/host_key
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
