// The first hour of a newcomer, for real: `scripts/node test/newcomer.ts`. On a Debian that has nothing but Node and npm
// (made by debootstrap, entered by chroot, as an ordinary user) the packed package is installed, a project made, tested,
// built, booted, edited and built again. Prints what each step took; fails where a newcomer would have been stuck.
// Needs root and the network: packages come from this machine's apt mirror, from npm as npm is configured here, and
// whatever `fw doctor` says is missing is installed by the very command that it gives.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheDir } from '../bin/pinned-node.js';
import { mirrors } from '../src/build/sources/mirrors.ts';
import { seconds } from './bench/figure.ts';

const REPOSITORY = join(import.meta.dirname, '..');
const USER = 'dev';
const PORT = 18_080;
const HOME = `/home/${USER}`;
const PROJECT = `${HOME}/my-app`;

const root = await mkdtemp(join(tmpdir(), 'hearth-newcomer-'));
process.on('exit', () => {
  for (const folder of ['proc', 'dev']) spawnQuietly('umount', ['-l', join(root, folder)]);
  rmSync(root, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

makeRoot();
const [tarball] = packed();

await step(
  'npm install of the packed hearthfw',
  `mkdir start && cd start && npm init -y && npm install ../${tarball}`,
);
await step('fw new', `cd start && npx fw new ../my-app --hearthfw file:../${tarball}`);
await step('npm install in the project', 'cd my-app && npm install');
await step('npm test', 'cd my-app && npm test');
await step('npm run check', 'cd my-app && npm run check');
await step('fw doctor, and what it tells to do', installWhatIsMissing);
await step('fw build, the first: everything is downloaded', 'cd my-app && npx fw build');
await step('fw run, to the app’s answer', bootAndAsk);
await step('an edit, and fw build again', () => {
  const app = join(root, PROJECT, 'src', 'app.ts');
  writeFileSync(app, `${readFileSync(app, 'utf8')}\nconsole.log('an edit');\n`);
  return asUser('cd my-app && npx fw build');
});
await step('fw inspect and fw verify', 'cd my-app && npx fw inspect *.fw && npx fw verify *.fw');

/** A minimal Debian, kept in the cache; then this machine's Node and npm, with npm's configuration, and a user. */
function makeRoot(): void {
  const kept = join(cacheDir(), 'newcomer', 'bookworm');
  if (!existsSync(kept)) {
    const part = `${kept}.part`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(dirname(part), { recursive: true });
    const [mirror = ''] = mirrors('debian');
    run('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', part, mirror]);
    renameSync(part, kept);
  }
  run('cp', ['-a', `${kept}/.`, root]);
  const npm = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm');
  const hostNode = execFileSync('sh', ['-c', 'readlink -f "$(command -v node)"'], {
    encoding: 'utf8',
  }).trim();
  const hostNpm = existsSync(npm) ? npm : join(dirname(hostNode), '..', 'lib', 'node_modules', 'npm');
  cpSync(hostNode, join(root, 'usr/bin/node'));
  cpSync(hostNpm, join(root, 'usr/lib/node_modules/npm'), { recursive: true });
  run('chroot', [root, 'ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/bin/npm']);
  run('chroot', [root, 'ln', '-s', '../lib/node_modules/npm/bin/npx-cli.js', '/usr/bin/npx']);
  run('chroot', [root, 'useradd', '--create-home', '--shell', '/bin/sh', USER]);
  const configured: [from: string, to: string][] = [
    ['/usr/etc/npmrc', 'usr/etc/npmrc'],
    [join(homedir(), '.npmrc'), `${HOME}/.npmrc`],
    ['/etc/ssl/certs/ca-certificates.crt', 'etc/ssl/certs/ca-certificates.crt'],
    ['/etc/resolv.conf', 'etc/resolv.conf'],
    ['/etc/hosts', 'etc/hosts'],
  ];
  for (const [from, to] of configured)
    if (existsSync(from)) cpSync(from, join(root, to), { dereference: true });
  run('mount', ['-t', 'proc', 'proc', join(root, 'proc')]);
  run('mount', ['--rbind', '/dev', join(root, 'dev')]);
}

function packed(): string[] {
  run('npm', ['pack', '--silent', '--pack-destination', join(root, HOME)], REPOSITORY);
  const name = execFileSync('ls', [join(root, HOME)], { encoding: 'utf8' }).trim();
  return [name];
}

/** Runs `fw doctor`, then as root the command that it gives for each problem, and asks it again. */
async function installWhatIsMissing(): Promise<void> {
  const { findings } = JSON.parse(await asUser('cd my-app && npx fw doctor --json || true')) as {
    findings: { level: string; check: string; remedy?: string }[];
  };
  for (const { check, remedy } of findings.filter(({ level }) => level === 'problem')) {
    console.log(`  ${check}: ${remedy}`);
    // Who types the command answers apt's question with yes.
    const command = remedy?.replaceAll('sudo ', '').replaceAll('apt install', 'apt install -y') ?? 'false';
    await shell(command, 'root');
  }
  await asUser('cd my-app && npx fw doctor');
}

async function bootAndAsk(): Promise<void> {
  const child = start(`cd my-app && exec npx fw run --headless --forward ${PORT}:8080`, USER);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const ended = once(child, 'exit');
  try {
    for await (const line of lines) if (line.includes('[hearth] ready')) break;
    const answer = await fetch(`http://127.0.0.1:${PORT}/`);
    console.log(`  the app answers ${answer.status}: ${(await answer.text()).trim().slice(0, 100)}`);
    if (!answer.ok) throw new Error('the app did not answer well');
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGTERM');
    await ended;
  }
}

async function step(name: string, work: string | (() => Promise<unknown>)): Promise<void> {
  console.log(`\n## ${name}`);
  const took = await seconds(() => (typeof work === 'string' ? asUser(work) : work()));
  console.log(`## ${name}: ${took.toFixed(1)} s`);
}

function asUser(command: string): Promise<string> {
  return shell(command, USER);
}

/** Runs a command in the root, shows what it says, and returns its standard output. */
async function shell(command: string, user: string): Promise<string> {
  const child = start(command, user);
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return stdout;
  throw new Error(`${command}: exit status ${code}\n${stdout}`);
}

function start(command: string, user: string): ChildProcess {
  const environment = [
    'env',
    '-i',
    'PATH=/usr/bin:/bin:/usr/sbin:/sbin',
    `HOME=${user === USER ? HOME : '/root'}`,
  ];
  const script = `cd ${user === USER ? HOME : '/root'} && ${command}`;
  return spawn(
    'chroot',
    [`--userspec=${user}:${user}`, root, ...environment, 'LANG=C.UTF-8', 'sh', '-c', script],
    { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
  );
}

function run(program: string, args: string[], cwd = '/'): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

function spawnQuietly(program: string, args: string[]): void {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
  } catch {
    // Not mounted: the root was not finished.
  }
}
