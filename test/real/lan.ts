/**
 * A network without a wire: each member has a network namespace of its own with an `eth0`, all on one bridge, in a user
 * namespace, so that nothing of it can be seen or kept outside.
 */
import { type ChildProcessByStdio, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';

/** Whether this machine lets us. */
export const lanIsPossible = spawnSync('unshare', ['-rnm', 'ip', 'link', 'add', 'type', 'veth']).status === 0;

const SETUP = `
set -e
mount -t tmpfs run /run
ip link add lan type bridge
ip link set lan up
n=0
for member; do
  n=$((n + 1))
  ip netns add "$member"
  ip link add "$member" type veth peer name eth0 netns "$member"
  ip link set "$member" master lan up
  ip -n "$member" addr add "10.5.0.$n/24" dev eth0
  ip -n "$member" link set lo up
  ip -n "$member" link set eth0 up
done
echo ready
exec cat
`;

/** A program that is asked one thing, and answers. */
const PATIENCE_MS = 60_000;

export type Program = ChildProcessByStdio<Writable, Readable, Readable>;

export interface Lan extends AsyncDisposable {
  /** Runs a program as this member: what it said, whatever its exit status. */
  run(member: string, command: readonly string[], env?: NodeJS.ProcessEnv): Promise<string>;
  /** The same, of one that goes on. It is gone with the network. */
  start(member: string, command: readonly string[], env?: NodeJS.ProcessEnv): Program;
}

/** The members' addresses are 10.5.0.1, 10.5.0.2 …; of IPv6 they have the link's own. */
export async function lan(...members: string[]): Promise<Lan> {
  const holder = spawn('unshare', ['-rnm', 'bash', '-c', SETUP, 'bash', ...members], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = once(holder, 'exit');
  await Promise.race([
    once(createInterface(holder.stdout), 'line'),
    gone.then(([status]) => {
      throw new Error(`no network: ${status}`);
    }),
  ]);
  const started = new Set<Program>();
  const enter = (member: string, command: readonly string[]): string[] => [
    ...['-t', String(holder.pid), '-U', '-n', '-m', '--preserve-credentials'],
    ...['ip', 'netns', 'exec', member, ...command],
  ];
  return {
    async run(member, command, env = {}) {
      const all = { ...process.env, ...env };
      const answer = await promisify(execFile)('nsenter', enter(member, command), {
        env: all,
        timeout: PATIENCE_MS,
      }).catch((error: { stdout: string; stderr: string }) => error);
      return `${answer.stdout}${answer.stderr}`;
    },
    start(member, command, env = {}) {
      const program = spawn('nsenter', enter(member, command), {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      started.add(program);
      program.once('exit', () => started.delete(program));
      return program;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...started].map((program) => {
          const ended = once(program, 'exit');
          program.kill('SIGKILL');
          return ended;
        }),
      );
      // Its standard input is what keeps it.
      holder.stdin.end();
      await gone;
    },
  };
}
