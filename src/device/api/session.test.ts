import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeFrame, FRAME, FrameReader } from '../../otp/remote/frame.ts';
import { encodeRequest } from '../../otp/remote/request.ts';
import type { Device } from './device.ts';
import { serveSsh } from './session.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-session-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the device was asked for by one SSH session, in order, and the session's exit status. */
async function session(line: string): Promise<{ happened: string[]; status: number | undefined }> {
  const happened: string[] = [];
  const device = {
    version: '1.2.0',
    updates: {
      revert: async () => void happened.push('revert'),
      reached: (via: string) => void happened.push(`reached by ${via}`),
    },
    goDown: () => {},
  } as unknown as Device;
  const path = join(folder, 'control.sock');
  const server = createServer({ pauseOnConnect: true }, (socket) => serveSsh(socket, device));
  server.listen(path);
  await once(server, 'listening');
  try {
    const socket = createConnection(path);
    const request = encodeRequest({ verb: 'ssh', argv: [line], terminal: undefined });
    if (!request) throw new Error('no request');
    socket.write(encodeFrame(FRAME.request, request));
    socket.write(encodeFrame(FRAME.input));
    const reader = new FrameReader();
    let status: number | undefined;
    for await (const bytes of socket) {
      for (const { type, payload } of reader.push(bytes) ?? []) if (type === FRAME.exit) status = payload[0];
    }
    return { happened, status };
  } finally {
    server.close();
  }
}

test('whoever comes to give a trial up does not validate it by coming', async () => {
  expect(await session('revert')).toEqual({ happened: ['revert', 'reached by ssh'], status: 0 });
});

test('whoever is let in has reached the device, whatever was asked', async () => {
  expect(await session('no-such-verb')).toEqual({ happened: ['reached by ssh'], status: 2 });
});
