import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cgroupsOf, descendants, described, footprint, marked } from './proc.ts';
import type { FromProgram, ToProgram } from './protocol.ts';
import { Random } from './random.ts';
import type { Findings, Sample } from './verdicts.ts';
import { ZombieWatch } from './zombies.ts';

const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const HEART = join(import.meta.dirname, `../../firmware/heart/prebuilt/${ARCH}/heart`);
const PROGRAM = join(import.meta.dirname, 'program.ts');
const SAMPLE_MS = 1_000;
/** A program that has not said its last word. */
const HUNG_MS = 120_000;
const CALM_SECONDS = 20;
/** Long enough for a victim never to come to its own end. */
const FOR_EVER_SECONDS = 86_400;

export interface Campaign {
  seed: number;
  seconds: number;
  /** From one rest to the next. */
  roundSeconds: number;
  /** From one program that is killed with all that it has to the next. */
  victimSeconds: number;
  /** How long everything may take to be as it was: at a rest, and when the program has ended; the default is 20. */
  calmSeconds?: number;
  /** Faults that are put in, to see verdicts fail. */
  sabotage?: readonly string[];
  onSample?: (sample: Sample) => void;
}

type Message<T extends FromProgram['type']> = Extract<FromProgram, { type: T }>;

/** Runs the program, watches it from outside, kills others of it meanwhile, and says what it saw. */
export async function campaign(plan: Campaign): Promise<Findings> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-soak-'));
  const findings = nothing();
  const over = new AbortController();
  const calmMs = (plan.calmSeconds ?? CALM_SECONDS) * 1_000;
  const program = begin(folder, 'program', plan);
  const zombies = new ZombieWatch(() => descendants(program.pid ?? 0));
  try {
    program.on('message', (message: FromProgram) => note(message, findings));
    const ended = once(program, 'exit');
    const hung = setTimeout(() => program.kill('SIGKILL'), plan.seconds * 2_000 + HUNG_MS);
    let late: NodeJS.Timeout | undefined;
    void said(program, 'end').then(() => {
      late = setTimeout(() => program.kill('SIGKILL'), calmMs);
    });
    await Promise.race([said(program, 'up'), ended]);
    const besides = [
      watch(program, plan, findings, zombies, over.signal),
      victims(folder, plan, findings, over.signal),
    ];
    const [code, signal] = (await ended) as [number | null, string | null];
    clearTimeout(hung);
    clearTimeout(late);
    findings.exit = String(signal ?? code);
    over.abort();
    await Promise.all(besides);
    findings.zombies = zombies.stop();
    findings.orphans = await gone(calmMs, () => [
      ...marked(join(folder, 'program')).map(described),
      ...cgroupsOf(program.pid ?? 0),
    ]);
    return findings;
  } finally {
    zombies.stop();
    over.abort();
    for (const pid of marked(folder)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function nothing(): Findings {
  const none = { samples: [], rests: [], zombies: [], faults: [], victims: [], orphans: [] };
  return { ...none, books: undefined, exit: '' };
}

/** Starts a soak program. What it starts, and what that starts, can be told by its environment. */
function begin(
  folder: string,
  name: string,
  { seed, seconds, roundSeconds, calmSeconds = CALM_SECONDS, sabotage = [] }: Campaign,
): ChildProcess {
  const own = join(folder, name);
  mkdirSync(own);
  const settings = join(own, 'config.json');
  writeFileSync(settings, '{"soak":true}');
  const times = { forMs: seconds * 1_000, roundMs: roundSeconds * 1_000, calmMs: calmSeconds * 1_000 };
  const plan = JSON.stringify({ seed, folder: own, heart: HEART, sabotage, ...times });
  const flags = ['--disable-warning=ExperimentalWarning', '--expose-gc'];
  return spawn(process.execPath, [...flags, PROGRAM, plan], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, HEARTH_HEART: HEART, HEARTH_APP_CONFIG: settings },
  });
}

function note(message: FromProgram, findings: Findings): void {
  if (message.type === 'rest') findings.rests.push(message);
  else if (message.type === 'fault') findings.faults.push(message);
  else if (message.type === 'end') findings.books = message;
}

/** The next message of a type. */
function said<T extends FromProgram['type']>(program: ChildProcess, type: T): Promise<Message<T>> {
  return new Promise((resolve) => {
    const listener = (message: FromProgram): void => {
      if (message.type !== type) return;
      program.off('message', listener);
      resolve(message as Message<T>);
    };
    program.on('message', listener);
  });
}

/** Looks at the program once a second, as long as it listens. */
async function watch(
  program: ChildProcess,
  { onSample }: Campaign,
  { samples }: Findings,
  zombies: ZombieWatch,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const deaf = once(program, 'disconnect');
  while (program.connected) {
    const reply = said(program, 'sample');
    program.send({ type: 'sample' } satisfies ToProgram);
    const heard = await Promise.race([reply, deaf]);
    if (!('type' in heard)) return;
    zombies.turned();
    const children = descendants(program.pid ?? 0);
    const sample = {
      ...footprint(program.pid ?? 0),
      atMs: performance.now() - startedAt,
      heap: heard.heap,
      loopMaxMs: heard.loopMaxMs,
      loopP99Ms: heard.loopP99Ms,
      children: children.length,
      zombies: children.filter(({ state }) => state === 'Z').length,
    };
    samples.push(sample);
    onSample?.(sample);
    await idle(SAMPLE_MS, signal);
  }
}

/** Other programs of the same kind are killed in the middle of all that they do. */
async function victims(
  folder: string,
  plan: Campaign,
  { victims }: Findings,
  signal: AbortSignal,
): Promise<void> {
  const random = new Random(plan.seed + 1);
  for (let nth = 1; !signal.aborted; nth++) {
    const name = `victim-${nth}`;
    const seed = random.below(2 ** 32);
    const victim = begin(folder, name, { ...plan, seed, seconds: FOR_EVER_SECONDS, sabotage: [] });
    const ended = once(victim, 'exit');
    await Promise.race([said(victim, 'up'), ended]);
    const afterMs = random.between(200, 3_000);
    await pause(afterMs);
    const had = marked(join(folder, name)).length;
    victim.kill('SIGKILL');
    await ended;
    const left = await gone(CALM_SECONDS * 1_000, () => [
      ...marked(join(folder, name)).map(described),
      ...cgroupsOf(victim.pid ?? 0),
    ]);
    victims.push({ afterMs, had, left });
    await idle(plan.victimSeconds * 1_000, signal);
  }
}

/** What is still there when everything should have been gone for long. */
async function gone(withinMs: number, look: () => string[]): Promise<string[]> {
  const until = performance.now() + withinMs;
  for (;;) {
    const left = look();
    if (left.length === 0 || performance.now() > until) return left;
    await pause(100);
  }
}

/** A pause that the end of all ends. */
async function idle(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
