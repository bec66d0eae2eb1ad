import type { Command } from 'commander';
import { buildCommand } from './build.ts';
import { cleanCommand } from './clean.ts';
import { imageCommand } from './image.ts';
import { runCommand } from './run.ts';

/** Every verb, in the groups and the order in which `fw --help` lists them. */
export function verbs(): [heading: string, verbs: Command[]][] {
  return [
    ['Make and run firmware:', [buildCommand(), imageCommand(), runCommand()]],
    ['This machine:', [cleanCommand()]],
  ];
}
