import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../archive/index.ts';
import { DEV_FRAME } from '../device/dev/frame.ts';
import type { Answer, DeviceLink } from '../links/link.ts';
import { encodeFrame, encodeJson } from '../update/transfer/frame.ts';
import { developOnDevice } from './develop-on-device.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-develop-'));
  mkdirSync(join(dir, 'src'));
  const config = { name: 'bare', version: '1.0.0', app: 'src/app.ts', targets: ['x86_64'] };
  writeFileSync(
    join(dir, 'fw.config.ts'),
    `export default ${JSON.stringify({ ...config, updateKeys: [EXAMPLE_PUBLIC_KEY] })};\n`,
  );
  writeFileSync(join(dir, 'src/app.ts'), 'console.log(1);\n');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A device that answers a push with these bytes, all in one piece. */
function device(answer: Uint8Array): DeviceLink {
  const incoming = new PassThrough();
  incoming.write(encodeJson(DEV_FRAME.welcome, { product: 'bare', version: '1.0.0', target: 'x86_64' }));
  const ended = Promise.withResolvers<Answer>();
  return {
    name: 'device',
    call: () => Promise.reject(new Error('nobody calls it')),
    open: () => ({
      incoming,
      ended: ended.promise,
      async write(frame) {
        if (frame[0] === DEV_FRAME.run) incoming.write(answer);
      },
      close() {
        incoming.end();
        ended.resolve({ status: 0, output: '', errorOutput: '' });
      },
    }),
  };
}

const healthy = encodeJson(DEV_FRAME.state, { name: 'healthy', pid: 5 });

test('an app that is healthy as soon as it is started counts, and the one before it does not', async () => {
  const events: string[] = [];
  const done = new AbortController();
  const started = encodeFrame(DEV_FRAME.started, new Uint8Array());
  await developOnDevice(
    device(Buffer.concat([healthy, started, healthy])),
    { dir, signal: done.signal },
    {
      onConnected: () => events.push('connected'),
      onPushed: (bytes) => events.push(bytes > 0 ? 'pushed' : 'nothing'),
      onState: ({ name }) => events.push(name),
      onHealthy: ({ total, bundle, push, start }) => {
        expect(Math.min(bundle, push, start)).toBeGreaterThanOrEqual(0);
        expect(bundle + push + start).toBeCloseTo(total);
        events.push('it is healthy');
        done.abort();
      },
      onOutput() {},
      onReport() {},
      onBroken: (error) => done.abort(error),
    },
  );
  expect(events).toEqual(['connected', 'healthy', 'pushed', 'healthy', 'it is healthy']);
});
