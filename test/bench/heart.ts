import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { temporaryFolder } from '../firmware.ts';
import { type Figure, median } from './figure.ts';

const OURS = join(
  import.meta.dirname,
  '../../firmware/heart/prebuilt',
  process.arch === 'x64' ? 'x86_64' : 'aarch64',
  'heart',
);
const ERLANG = '/usr/lib/erlang';
const BEAT = Buffer.from([0, 1, 2]);
const KILLS = 5;
/** The shortest beat timeouts, seconds, that each takes. */
const SHORTEST = { ours: 1, erlang: 11 };

/** heart beside Erlang's own in its own trade, with the pipe protocol that both speak. */
export async function benchHeart(): Promise<Figure[]> {
  const erts = readdirSync(ERLANG).find((name) => name.startsWith('erts-')) ?? '';
  const erlang = join(ERLANG, erts, 'bin', 'heart');
  const figures: Figure[] = [];
  for (const [whose, program, timeout] of [
    ['heart', OURS, SHORTEST.ours],
    ["Erlang's heart", erlang, SHORTEST.erlang],
  ] as const) {
    if (!existsSync(program)) continue;
    const kills: number[] = [];
    for (let run = 0; run < KILLS; run++) kills.push(await killToCommand(program));
    figures.push({
      name: `${whose}: kill -9 of its process to the command run`,
      value: median(kills),
      unit: 'ms',
      runs: KILLS,
    });
    const hang = await hangToKill(program, timeout);
    figures.push({
      name: `${whose}: last beat to kill, at its shortest timeout (${timeout} s)`,
      value: hang,
      unit: 'ms',
      runs: 1,
    });
  }
  return figures;
}

type Heart = ChildProcessByStdio<Writable, null, null>;

/** A process to watch over, as Erlang's virtual machine would be, and a heart that does. */
function start(
  program: string,
  timeoutSeconds: number,
  command: string,
): { victim: ReturnType<typeof spawn>; heart: Heart } {
  const victim = spawn('sleep', ['600'], { stdio: 'ignore' });
  const heart = spawn(program, ['-pid', String(victim.pid), '-ht', String(timeoutSeconds)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, HEART_COMMAND: command },
  });
  heart.stdin.write(BEAT);
  return { victim, heart };
}

/** The virtual machine dies, and its end of the pipe with it. */
async function killToCommand(program: string): Promise<number> {
  await using folder = await temporaryFolder();
  const { victim, heart } = start(program, SHORTEST.erlang, `touch ${folder.path}/ran`);
  const ran = new Promise<number>((resolve) => {
    const watcher = watch(folder.path, () => {
      watcher.close();
      resolve(performance.now());
    });
  });
  await once(victim, 'spawn');
  const killed = performance.now();
  victim.kill('SIGKILL');
  heart.stdin.end();
  const took = (await ran) - killed;
  heart.kill('SIGKILL');
  return took;
}

async function hangToKill(program: string, timeoutSeconds: number): Promise<number> {
  const { victim, heart } = start(program, timeoutSeconds, 'true');
  const lastBeat = performance.now();
  await once(victim, 'exit');
  const took = performance.now() - lastBeat;
  heart.kill('SIGKILL');
  return took;
}
