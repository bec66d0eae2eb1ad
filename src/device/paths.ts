/** Where things are on a device. One place, so that the root's layout can be read off it. */
export const PATHS = {
  heart: '/sbin/heart',
  node: '/usr/bin/node',
  busybox: '/bin/busybox',
  app: '/srv/app/app.mjs',
  /** There only when the build was told to put it there; then stacks name the app's own source lines. */
  appSourceMap: '/srv/app/app.mjs.map',
  appFolder: '/srv/app',
  /** Code that `fw dev` has sent, in memory: it goes before the firmware's own until the next boot. */
  dev: '/run/hearth/dev',
  devApp: '/run/hearth/dev/app.mjs',
  devConfig: '/run/hearth/dev/config.json',
  gate: '/usr/lib/hearth/gate.mjs',
  udhcpcScript: '/usr/lib/hearth/udhcpc.script',
  data: '/data',
  appData: '/data/app',
  run: '/run/hearth',
  net: '/run/hearth/net',
  status: '/run/hearth/status.json',
  /** Says that this boot's `ready` line has been printed. */
  ready: '/run/hearth/ready',
  /** Says that updates have been looked at in this boot. */
  updates: '/run/hearth/updates',
  /** Its first line is the reason that heart records for the way down. */
  reason: '/run/hearth/reason',
  /** hearthd's ear for SSH sessions: `heart attach` joins them to it. */
  control: '/run/hearth/control.sock',
  /** Dropbear's: the host key and whom it lets in. */
  ssh: '/run/hearth/ssh',
  dropbearkey: '/usr/bin/dropbearkey',
  appCgroup: '/sys/fs/cgroup/app',
  netCgroup: '/sys/fs/cgroup/net',
} as const;

/** The app's user, as in `firmware/rootfs/etc/passwd`; a test compares. */
export const APP_USER = { name: 'app', uid: 1000, gid: 1000 } as const;
