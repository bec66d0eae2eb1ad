import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  agentSigner,
  fileSigner,
  fingerprint,
  generateKey,
  openFirmware,
  type Signer,
  verify,
  writeFirmware,
} from '../../src/archive/index.ts';
import { parsePublicKey } from '../../src/archive/public-key.ts';
import { armorSignature, signedData } from '../../src/archive/sshsig.ts';
import { noise, sampleInput, signBytes } from '../../src/archive/test-firmware.ts';

/** The .fw file, its keys and signatures, judged by tar, zstd, coreutils, ssh-keygen and ssh-agent. */
const run = promisify(execFile);
let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const KiB = 1024;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}
/** Runs in the folder, with `input` on stdin; a failure is an outcome, too. */
async function sh(script: string, input: Uint8Array | string = ''): Promise<Outcome> {
  const running = run('sh', ['-c', script], {
    cwd: folder,
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
  });
  running.child.stdin?.end(input);
  return await running.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Outcome) => error,
  );
}
async function good(script: string, input?: Uint8Array | string): Promise<string> {
  const { code, stdout, stderr } = await sh(script, input);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

const root = noise(900 * KiB);
const boot = Buffer.alloc(700 * KiB, 'boot hearth.slot=a ');
let signer: Signer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-archive-'));
  await good(
    `ssh-keygen -q -t ed25519 -N '' -C builder -f key && echo 'anybody namespaces="hearth-firmware" '"$(cat key.pub)" > allowed`,
  );
  signer = await fileSigner(at('key'));
  const input = sampleInput(signer);
  const [first, second] = input.payloads;
  if (!first || !second) throw new Error('the sample has two payloads');
  const payloads = [
    { ...first, pieces: [boot] },
    { ...second, pieces: [root], boundaries: [100 * KiB, 300 * KiB, 777 * KiB] },
  ];
  const pieces: Uint8Array[] = [];
  const written = await writeFirmware(
    { ...input, payloads },
    signer,
    async (bytes) => void pieces.push(bytes),
  );
  await writeFile(at('app.fw'), Buffer.concat(pieces));
  expect(await good('sha256sum app.fw')).toBe(`${written.sha256}  app.fw`);
  expect((await stat(at('app.fw'))).size).toBe(written.size);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the archive', () => {
  test('tar lists it: the members in order, with nobody and no time in them', async () => {
    const lines = (await good('tar tvf app.fw')).split('\n');
    expect(lines.map((line) => line.replace(/ +\d+ 1980/, ' 1980'))).toEqual(
      ['manifest.json', 'manifest.json.sig', 'chunks', 'payload/boot', 'payload/root'].map(
        (name) => `-rw-r--r-- 0/0 1980-01-01 00:00 ${name}`,
      ),
    );
  });

  test('tar unpacks it without a complaint, and zstd unpacks the payload that is stored so', async () => {
    const { code, stderr } = await sh('mkdir out && tar xf app.fw -C out');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((await readFile(at('out/payload/root'))).equals(root)).toBe(true);
    await good('zstd -q -d -o out/boot.raw < out/payload/boot');
    expect((await readFile(at('out/boot.raw'))).equals(boot)).toBe(true);
  });

  test('the lines of docs/fw-format.md check it by hand, and find a changed byte', async () => {
    const page = await readFile(new URL('../../docs/fw-format.md', import.meta.url), 'utf8');
    const script = /```sh\n(.*?)```/s.exec(page)?.[1] ?? 'false';
    await mkdir(at('hand'));
    const check = (file: string) => sh(`cd hand && cp ../allowed . && FW=../${file}\n${script}`);
    const { code, stdout, stderr } = await check('app.fw');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/Good "hearth-firmware" signature for anybody/);
    expect(stdout).toMatch(/payload boot is what was signed[\s\S]*payload root is what was signed/);
    const bytes = await readFile(at('app.fw'));
    bytes[bytes.length - 2000] = (bytes[bytes.length - 2000] ?? 0) ^ 1;
    await writeFile(at('bad.fw'), bytes);
    expect((await check('bad.fw')).code).not.toBe(0);
    await using file = await openFirmware(at('bad.fw'), { trust: [signer.publicKey] });
    await expect(file.verify()).rejects.toMatchObject({ code: 'fw-chunk-altered' });
  });

  test('packed again by tar it is refused', async () => {
    await good(
      'mkdir again && tar xf app.fw -C again && cd again && tar cf ../again.fw --format=ustar -- $(tar tf ../app.fw)',
    );
    await expect(openFirmware(at('again.fw'), { trust: 'self' })).rejects.toMatchObject({
      code: 'fw-member-header',
    });
  });
});

describe('signatures', () => {
  const message = noise(5000, 'message');

  test("ours satisfies ssh-keygen, and ssh-keygen's is ours, byte for byte", async () => {
    await writeFile(at('message'), message);
    await writeFile(at('ours.sig'), await signBytes(message, signer));
    await good('ssh-keygen -Y check-novalidate -n hearth-firmware -s ours.sig < message');
    await good('ssh-keygen -Y verify -f allowed -I anybody -n hearth-firmware -s ours.sig < message');
    await good('ssh-keygen -q -Y sign -f key -n hearth-firmware message');
    expect(await readFile(at('message.sig'))).toEqual(await readFile(at('ours.sig')));
  });

  test('both refuse another message', async () => {
    const signature = await signBytes(message, signer);
    await writeFile(at('other.sig'), signature);
    const other = Buffer.concat([message, Buffer.from('x')]);
    expect((await sh('ssh-keygen -Y check-novalidate -n hearth-firmware -s other.sig', other)).code).not.toBe(
      0,
    );
    expect(() => verify(other, signature, 'self')).toThrow(
      expect.objectContaining({ code: 'fw-signature-wrong' }),
    );
  });

  test.each([
    ['fw-signature-namespace', 'ssh-keygen -q -Y sign -f key -n git'],
    ['fw-signature-hash', 'ssh-keygen -q -Y sign -f key -n hearth-firmware -O hashalg=sha256'],
    [
      'key-type-unsupported',
      "ssh-keygen -q -t rsa -N '' -f rsa && ssh-keygen -q -Y sign -f rsa -n hearth-firmware",
    ],
    [
      'key-type-unsupported',
      "ssh-keygen -q -t ecdsa -N '' -f ec && ssh-keygen -q -Y sign -f ec -n hearth-firmware",
    ],
  ])('%s: %s', async (code, script) => {
    const signature = Buffer.from(`${await good(script, message)}\n`);
    expect(signature.toString()).toContain('BEGIN SSH SIGNATURE');
    expect(() => verify(message, signature, 'self')).toThrow(expect.objectContaining({ code }));
  });
});

describe('keys', () => {
  test('that we make are read by ssh-keygen, which sees the same key', async () => {
    const { privateKey, publicKey } = generateKey('made by us');
    await writeFile(at('ours'), privateKey, { mode: 0o600 });
    await writeFile(at('ours.pub'), publicKey);
    expect(await good('ssh-keygen -y -f ours')).toBe(publicKey.trim());
    expect(await good('ssh-keygen -l -f ours.pub')).toBe(
      `256 ${fingerprint(parsePublicKey(publicKey))} made by us (ED25519)`,
    );
    expect(await good('ssh-keygen -q -Y sign -f ours -n hearth-firmware', 'x')).toContain(
      'BEGIN SSH SIGNATURE',
    );
  });

  test('that ssh-keygen makes are read by us', async () => {
    const line = (await readFile(at('key.pub'), 'utf8')).trim();
    expect(signer.publicKey).toBe(line);
  });

  test.each([
    ['key-encrypted', "-t ed25519 -N 'passphrase'"],
    ['key-encrypted', "-t ed25519 -N 'passphrase' -m PEM"],
    ['key-type-unsupported', "-t rsa -N ''"],
    ['key-type-unsupported', "-t rsa -N '' -m PEM"],
    ['key-type-unsupported', "-t rsa -N '' -m PKCS8"],
    ['key-type-unsupported', "-t ecdsa -N ''"],
  ])('%s: ssh-keygen %s', async (code, options) => {
    await good(`rm -f odd odd.pub; ssh-keygen -q -f odd ${options}`);
    await expect(fileSigner(at('odd'))).rejects.toMatchObject({ code });
  });
});

describe('a real ssh-agent', () => {
  const withAgent = async (use: (socket: string) => Promise<void>) => {
    const socket = at('agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], {
      env: { ...process.env, SSH_ASKPASS: '/bin/false' },
    });
    try {
      // It prints where it listens once it does.
      await once(agent.stdout, 'data');
      await use(socket);
    } finally {
      agent.kill();
      if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
    }
  };

  test('signs what the key file would have signed', () =>
    withAgent(async (socket) => {
      await good(`SSH_AUTH_SOCK=${socket} ssh-add -q key`);
      const message = Buffer.from('to be signed');
      const agent = await agentSigner(signer.publicKey, socket);
      expect(await signBytes(message, agent)).toEqual(await signBytes(message, signer));
      const bytes = await agent.sign(signedData(message));
      const armored = armorSignature({ key: parsePublicKey(agent.publicKey), bytes });
      expect(verify(message, armored, [signer.publicKey]).line).toMatch(/^ssh-ed25519 /);
    }));

  test('that lacks the key, or whose user says no', () =>
    withAgent(async (socket) => {
      await expect(agentSigner(signer.publicKey, socket)).rejects.toMatchObject({ code: 'agent-lacks-key' });
      await good(`SSH_AUTH_SOCK=${socket} ssh-add -q -c key`);
      const agent = await agentSigner(signer.publicKey, socket);
      await expect(agent.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'agent-refused' });
    }));
});
