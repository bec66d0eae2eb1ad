/** How fast a whole firmware goes to a device over ssh, beside what the same ssh carries when nobody looks at the bytes. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseHead } from '../../src/archive/head.ts';
import { openFirmware } from '../../src/archive/open.ts';
import { build, newSigner } from '../../src/archive/test-firmware.ts';
import { unpackChunk } from '../../src/archive/unpack.ts';
import { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { type Call, serveSession } from '../../src/otp/remote/session.ts';
import { byTurns } from '../../src/update/pipeline.ts';
import { parseChunk } from '../../src/update/transfer/chunk-frame.ts';
import { encodeJson, FRAME, readFrames } from '../../src/update/transfer/frame.ts';
import { REBOOTING } from '../../src/update/transfer/receive.ts';
import { sendUpdate } from '../../src/update/transfer/send.ts';
import { HEART } from '../real/ssh-device.ts';
import { Sshd } from '../real/sshd.ts';
import { type Figure, median, seconds } from './figure.ts';

const MiB = 1024 * 1024;
const SIZE = 96 * MiB;
const RUNS = 5;

/** Both in one run, by turns: what else the machine does disturbs both. */
export async function benchUpload(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-upload-'));
  const socket = join(folder, 'control.sock');
  const receiver = spawn(process.execPath, [import.meta.filename, socket], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(receiver, 'message');
  const script = join(folder, 'session');
  writeFileSync(
    script,
    `case "$SSH_ORIGINAL_COMMAND" in cat) exec cat >/dev/null ;; *) exec ${HEART} attach ${socket} ;; esac\n`,
  );
  const sshd = await Sshd.start(folder, `/bin/sh ${script}`);
  try {
    return await measured(folder, sshd);
  } finally {
    receiver.kill();
    await sshd.stop();
    rmSync(folder, { recursive: true });
  }
}

async function measured(folder: string, sshd: Sshd): Promise<Figure[]> {
  const path = join(folder, 'large.fw');
  writeFileSync(path, await largeFirmware());
  const link = new SshLink(`${userInfo().username}@device`, { extra: ['-F', sshd.config] });
  const [ours, theirs, ratios]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < RUNS; run++) {
    const plain = await seconds(() => cat(path, sshd));
    const upload = await seconds(() => send(path, link));
    theirs.push(SIZE / 1e6 / plain);
    ours.push(SIZE / 1e6 / upload);
    ratios.push(plain / upload);
  }
  const figure = (name: string, values: number[], unit: string, goal?: string): Figure => ({
    ...{ name, value: median(values), unit, runs: RUNS },
    ...(goal ? { goal } : {}),
  });
  return [
    figure("upload: ssh HOST 'cat >/dev/null'", theirs, 'MB/s'),
    figure('upload: a whole firmware, every chunk verified', ours, 'MB/s'),
    figure('upload: of what plain ssh carries', ratios, '×', '≥ 0.8'),
  ];
}

async function send(path: string, link: SshLink): Promise<void> {
  await using fw = await openFirmware(path, { trust: 'self' });
  const session = link.open(['update', '--frames']);
  try {
    await sendUpdate(fw, session);
  } finally {
    session.close();
  }
}

async function cat(path: string, sshd: Sshd): Promise<void> {
  const child = spawn('ssh', ['-F', sshd.config, '-l', userInfo().username, '-T', 'device', 'cat'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  await pipeline(createReadStream(path, { highWaterMark: MiB }), child.stdin);
  const [status] = await ended;
  if (status !== 0) throw new Error(`ssh cat: status ${status}`);
}

function largeFirmware(): Promise<Buffer> {
  const signer = newSigner();
  return build(
    {
      ...{ product: 'bench', version: '1.0.0', target: 'rpi3', arch: 'aarch64' },
      uuid: '00000000-0000-4000-8000-000000000001',
      created: '2026-11-21T00:00:00Z',
      trustedKeys: [signer.publicKey],
      payloads: [{ name: 'root', pieces: [randomBytes(SIZE)], storage: { encoding: 'raw' } }],
    },
    signer,
  );
}

/** A device that lacks everything and verifies every chunk, in a process of its own. It writes nothing: disks are another figure. */
async function receive({ input, output }: Call): Promise<number> {
  const frames = readFrames(input, byTurns(2));
  output.write(encodeJson(FRAME.running, { uuid: '', version: '' }));
  const { value: first } = await frames.next();
  const head = await parseHead(Buffer.from(first?.payload ?? []), { trust: 'self' });
  const missing = Object.fromEntries(
    head.manifest.payloads.map(({ name }, at) => [name, [[0, head.chunks[at]?.length ?? 0]]]),
  );
  output.write(encodeJson(FRAME.want, { missing }));
  for (let left = head.chunks.flat().length; left > 0; left--) {
    const { value } = await frames.next();
    const { payload, index, bytes } = parseChunk(value?.payload ?? Buffer.alloc(0));
    const [of, chunk] = [head.manifest.payloads[payload], head.chunks[payload]?.[index]];
    if (!of || !chunk) throw new Error('no such chunk');
    await unpackChunk(bytes, of, chunk, index);
  }
  output.write(REBOOTING);
  return 0;
}

const [, program, socket] = process.argv;
if (program === import.meta.filename && socket !== undefined) {
  createServer((connection) => serveSession(connection, { ssh: receive })).listen(socket, () =>
    process.send?.('ready'),
  );
}
