import type { Command } from 'commander';
import { buildCommand } from './build.ts';
import { cleanCommand } from './clean.ts';
import { completionCommand } from './completion.ts';
import { debugCommand } from './debug.ts';
import { devCommand } from './dev.ts';
import { discoverCommand } from './discover.ts';
import { doctorCommand } from './doctor.ts';
import { factoryResetCommand } from './factory-reset.ts';
import { hostnameCommand } from './hostname.ts';
import { imageCommand } from './image.ts';
import { inspectCommand } from './inspect.ts';
import { keyCommand } from './key.ts';
import { newCommand } from './new.ts';
import { poweroffCommand } from './poweroff.ts';
import { rebootCommand } from './reboot.ts';
import { releaseCommand } from './release.ts';
import { revertCommand } from './revert.ts';
import { runCommand } from './run.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { targetsCommand } from './targets.ts';
import { uploadCommand } from './upload.ts';
import { validateCommand } from './validate.ts';
import { verifyCommand } from './verify.ts';

/** Every verb, in the groups and the order in which `fw --help` lists them. */
export function verbs(): [heading: string, verbs: Command[]][] {
  return [
    ['Start a project:', [newCommand(), keyCommand()]],
    [
      'Make and run firmware:',
      [startCommand(), buildCommand(), imageCommand(), runCommand(), releaseCommand()],
    ],
    [
      'Devices:',
      [
        discoverCommand(),
        uploadCommand(),
        devCommand(),
        debugCommand(),
        statusCommand(),
        validateCommand(),
        revertCommand(),
        rebootCommand(),
        poweroffCommand(),
        hostnameCommand(),
        factoryResetCommand(),
      ],
    ],
    ['Look inside:', [inspectCommand(), verifyCommand(), targetsCommand()]],
    ['This machine:', [doctorCommand(), cleanCommand(), completionCommand()]],
  ];
}
