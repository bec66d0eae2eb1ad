/**
 * What the app's start does not wait for. `fw build` makes a file of its own of it, which hearthd loads when the app is up, or
 * when it is needed: Node parses every line of what it loads, and this is more than half of hearthd.
 */
export { EnvStore } from '../update/env.ts';
export { receiveFile, receiveFrames } from '../update/transfer/receive.ts';
export { neverSilent } from '../update/transfer/silence.ts';
export { Updater } from '../update/updater.ts';
export { runCommand } from './api/command.ts';
export { askForReset } from './data/reset.ts';
export { Announcer } from './mdns/announcer.ts';
export { openSsh } from './ssh/keys.ts';
export { operatorKeys, withKey, withoutKey } from './ssh/operator-keys.ts';
