/**
 * The busybox applets that a device has, as links in /usr/bin. What hearthd, heart and the root shell use, and what
 * people look for in a shell on a device; not all of busybox, so that nobody relies on half a distribution. Each is one
 * that Debian's busybox-static has.
 */
export const APPLETS: readonly string[] = `
  sh ash cat chmod chown cp cut date dd df du echo env expr false grep egrep
  head hexdump id install kill killall less ln ls md5sum mkdir mkfifo mknod mktemp
  more mv nproc od pidof printf ps pwd readlink realpath rm rmdir sed
  seq sha256sum sleep sort stat strings stty sync tail tar tee test timeout top touch
  tr true truncate tty uname uniq uptime usleep vi watch wc which whoami xargs xxd
  find free gunzip gzip zcat hostname ping ping6 nc wget nslookup traceroute netstat awk
  blockdev dmesg hwclock ifconfig insmod ip losetup lsmod
  modinfo modprobe mount rmmod route sysctl udhcpc uevent umount microcom chroot
`
  .trim()
  .split(/\s+/);
