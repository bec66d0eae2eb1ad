import type { Command } from 'commander';
import { buildCommand } from './build.ts';
import { cleanCommand } from './clean.ts';
import { completionCommand } from './completion.ts';
import { doctorCommand } from './doctor.ts';
import { imageCommand } from './image.ts';
import { inspectCommand } from './inspect.ts';
import { keyCommand } from './key.ts';
import { newCommand } from './new.ts';
import { releaseCommand } from './release.ts';
import { runCommand } from './run.ts';
import { startCommand } from './start.ts';
import { targetsCommand } from './targets.ts';
import { verifyCommand } from './verify.ts';

/** Every verb, in the groups and the order in which `fw --help` lists them. */
export function verbs(): [heading: string, verbs: Command[]][] {
  return [
    ['Start a project:', [newCommand(), keyCommand()]],
    [
      'Make and run firmware:',
      [startCommand(), buildCommand(), imageCommand(), runCommand(), releaseCommand()],
    ],
    ['Look inside:', [inspectCommand(), verifyCommand(), targetsCommand()]],
    ['This machine:', [doctorCommand(), cleanCommand(), completionCommand()]],
  ];
}
