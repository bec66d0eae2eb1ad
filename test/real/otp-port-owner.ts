// A program that owns ports, for otp-port.test.ts to kill: prints the processes that it has started, and waits.
import { setTimeout } from 'node:timers/promises';
import { guardPid } from '../../src/otp/port/guard.ts';
import { openPort } from '../../src/otp/port/port.ts';

/** Deaf to SIGTERM and to the end of its input, as is the one that it starts. */
const DEAF = 'trap "" TERM HUP; sh -c "while :; do sleep 0.2; done" & echo $!; while :; do sleep 0.2; done';

const pids: number[] = [];
for (let i = 0; i < 5; i++) {
  const port = await openPort({ command: 'sh', args: ['-c', DEAF], line: true });
  pids.push(port.pid, Number(await port.receive()));
}
if (process.argv[2] === 'guard') {
  const first = guardPid() as number;
  process.kill(first, 'SIGKILL');
  while (guardPid() === first) await setTimeout(5);
}
pids.push(guardPid() ?? 0);
console.log(JSON.stringify(pids));
if (process.argv[2] === 'exit') process.exit(0);
if (process.argv[2] === 'throw') throw new Error('on purpose');
// Killed in the middle of starting more of them, too.
for (;;) await openPort({ command: 'sh', args: ['-c', DEAF], line: true });
