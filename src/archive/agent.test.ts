import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentKeys, agentSign } from './agent.ts';
import { agentSigner } from './signer.ts';
import { wireString, wireUint32 } from './ssh-wire.ts';
import { newSigner } from './test-firmware.ts';

/** Agents that misbehave, on a real socket. A good one, OpenSSH's own, is in test/real/archive.test.ts. */
let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-agent-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function agent<T>(answer: (socket: Socket) => void, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, `${count++}.sock`);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    return await use(path);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}
const message = (...parts: Uint8Array[]) => wireString(Buffer.concat(parts));

describe('an agent that', () => {
  test('answers in small pieces is understood', async () => {
    const bytes = message(Buffer.from([12]), wireUint32(1), wireString('key'), wireString('comment'));
    const keys = await agent(
      (socket) => {
        for (const byte of bytes) socket.write(Buffer.from([byte]));
      },
      (path) => agentKeys(path),
    );
    expect(keys).toEqual([Buffer.from('key')]);
  });

  test.each<[string, string, (socket: Socket) => void]>([
    ['says no', 'agent-refused', (socket) => socket.write(message(Buffer.from([5])))],
    ['hangs up', 'agent-unreachable', (socket) => socket.end()],
    ['announces 4 GiB', 'bad-ssh-agent', (socket) => socket.write(wireUint32(0xffff_ffff))],
    ['announces nothing', 'bad-ssh-agent', (socket) => socket.write(wireUint32(0))],
    [
      'claims more keys than it sends',
      'bad-ssh-agent',
      (s) => s.write(message(Buffer.from([12]), wireUint32(9))),
    ],
    [
      'sends a key that is too long',
      'bad-ssh-agent',
      (s) => s.write(message(Buffer.from([12, 0, 0, 0, 1, 0, 0, 1, 0]))),
    ],
  ])('%s: %s', async (_, code, answer) => {
    await expect(agent(answer, (path) => agentKeys(path))).rejects.toMatchObject({ code });
  });

  test('stays silent: agent-unreachable', async () => {
    const silent = agent(
      () => {},
      (path) => agentKeys(path, { timeoutMs: 100 }),
    );
    await expect(silent).rejects.toMatchObject({ code: 'agent-unreachable' });
  });

  test('refuses to sign', async () => {
    const refusing = agent(
      (socket) => socket.write(message(Buffer.from([5]))),
      (path) => agentSign(path, Buffer.from('key'), Buffer.from('data')),
    );
    await expect(refusing).rejects.toMatchObject({ code: 'agent-refused' });
  });
});

test('no agent, or one that is gone', async () => {
  const { publicKey } = newSigner();
  await expect(agentSigner(publicKey, undefined)).rejects.toMatchObject({ code: 'agent-missing' });
  await expect(agentSigner(publicKey, '')).rejects.toMatchObject({ code: 'agent-missing' });
  await expect(agentSigner(publicKey, join(folder, 'none'))).rejects.toMatchObject({
    code: 'agent-unreachable',
  });
});
