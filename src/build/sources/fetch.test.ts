import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cache } from '../cache.ts';
import { sha256 } from '../hash.ts';
import { fetchPackage, type Source } from './fetch.ts';

const BYTES = Buffer.alloc(200_000, 'the bytes of a package ');
const PKG = {
  name: 'libexample1',
  version: '1.2-3',
  archive: 'debian',
  path: 'pool/main/libe/libexample/libexample1_1.2-3_amd64.deb',
  size: BYTES.length,
  sha256: sha256(BYTES),
} as const;

let dir: string;
let cache: Cache;
let servers: Server[];
/** Paths that the servers were asked for. */
let asked: string[];
/** What the fetcher waited between attempts, ms. */
let waited: number[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-fetch-'));
  cache = new Cache(dir);
  servers = [];
  asked = [];
  waited = [];
});
afterEach(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(dir, { recursive: true });
});

/** A mirror on this machine; each request is answered by the next of the listeners, the last one for ever. */
async function mirror(...listeners: RequestListener[]): Promise<string> {
  let next = 0;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const listener = listeners[Math.min(next++, listeners.length - 1)];
    listener?.(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
}

const sends =
  (bytes: Uint8Array): RequestListener =>
  (_, response) =>
    response.end(bytes);
const answers =
  (status: number): RequestListener =>
  (_, response) => {
    response.statusCode = status;
    response.end('a page about it');
  };

function source(...bases: string[]): Source {
  return {
    mirrors: () => bases,
    wait: async (ms) => {
      waited.push(ms);
    },
    idleMs: 60_000,
  };
}
const fetching = (from: Source): Promise<Buffer> => fetchPackage(PKG, cache, () => {}, from);
const cached = (): string => cache.path('downloads', PKG.sha256);

/** An address at which nobody listens. */
async function nobody(): Promise<string> {
  const base = await mirror(answers(500));
  const server = servers.pop();
  await new Promise((resolve) => server?.close(resolve));
  return base;
}

test('a package is fetched by its path, kept, and then never asked for again', async () => {
  const base = await mirror(sends(BYTES));
  const progress: [string, number, number][] = [];
  const bytes = await fetchPackage(PKG, cache, (...args) => progress.push(args), source(base));
  expect(bytes.equals(BYTES)).toBe(true);
  expect(asked).toEqual([`/debian/${PKG.path}`]);
  expect(progress.at(-1)).toEqual(['libexample1_1.2-3_amd64.deb', BYTES.length, BYTES.length]);
  expect(readFileSync(cached()).equals(BYTES)).toBe(true);
  expect((await fetching(source(base))).equals(BYTES)).toBe(true);
  expect(asked).toHaveLength(1);
});

describe('B7', () => {
  test('offline, with the package in the cache: nothing is missed', async () => {
    await fetching(source(await mirror(sends(BYTES))));
    const offline: Source = {
      ...source(),
      mirrors: () => {
        throw new Error('asked for a mirror');
      },
    };
    expect((await fetching(offline)).equals(BYTES)).toBe(true);
  });

  test('offline, without it: an error that names package, hash, address and remedy', async () => {
    const base = await nobody();
    await expect(fetching(source(base))).rejects.toMatchObject({
      code: 'package-unavailable',
      message: expect.stringMatching(/libexample1_1\.2-3_amd64\.deb could not be fetched.*ECONNREFUSED/s),
      where: PKG.path,
      expected: expect.stringContaining(PKG.sha256),
      remedy: expect.stringContaining('HEARTH_DEBIAN_MIRROR'),
    });
    expect(waited).toEqual([1000, 2000, 4000]);
  });

  test('a damaged copy in the cache is fetched again', async () => {
    const base = await mirror(sends(BYTES));
    await fetching(source(base));
    writeFileSync(cached(), BYTES.subarray(1));
    expect((await fetching(source(base))).equals(BYTES)).toBe(true);
    expect(readFileSync(cached()).equals(BYTES)).toBe(true);
  });

  test('a wrong hash is never written, nor asked for twice; the next mirror is', async () => {
    const forged = Buffer.from(BYTES);
    forged.writeUInt8(0, 1000);
    const [bad, good] = [await mirror(sends(forged)), await mirror(sends(BYTES))];
    await expect(fetching(source(bad))).rejects.toThrow(`SHA-256 is ${sha256(forged)}`);
    expect(existsSync(cached())).toBe(false);
    expect(asked).toHaveLength(1);
    expect((await fetching(source(bad, good))).equals(BYTES)).toBe(true);
  });

  test('404 is not tried again at that mirror; all mirrors are named when none has it', async () => {
    const [one, two] = [await mirror(answers(404)), await mirror(answers(410))];
    const failure = fetching(source(one, two));
    await expect(failure).rejects.toThrow(`${one}/${PKG.path}: the server answered 404`);
    await expect(failure).rejects.toThrow(`${two}/${PKG.path}: the server answered 410`);
    expect(asked).toHaveLength(2);
    expect(waited).toEqual([]);
  });

  test.each([429, 500, 503])('%d passes: tried again, later each time', async (status) => {
    const base = await mirror(answers(status), answers(status), sends(BYTES));
    expect((await fetching(source(base))).equals(BYTES)).toBe(true);
    expect(waited).toEqual([1000, 2000]);
  });

  test('a server that never recovers is given up after four attempts', async () => {
    await expect(fetching(source(await mirror(answers(503))))).rejects.toThrow('the server answered 503');
    expect(asked).toHaveLength(4);
  });

  test('a connection that is cut is made again', async () => {
    const cut: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': BYTES.length });
      response.write(BYTES.subarray(0, 50_000), () => response.destroy());
    };
    expect((await fetching(source(await mirror(cut, sends(BYTES))))).equals(BYTES)).toBe(true);
    expect(asked).toHaveLength(2);
  });

  test('a short answer that ends in good order is not taken for the package', async () => {
    const base = await mirror(sends(BYTES.subarray(0, 1000)));
    await expect(fetching(source(base))).rejects.toThrow(
      `the connection ended after 1000 of ${BYTES.length} bytes`,
    );
  });

  test('an answer longer than the lock says is cut off, not read to its end', async () => {
    const endless: RequestListener = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(BYTES)) {}
      };
      response.on('drain', more);
      more();
    };
    const received: number[] = [];
    const base = await mirror(endless);
    await expect(
      fetchPackage(PKG, cache, (_name, bytes) => received.push(bytes), source(base)),
    ).rejects.toThrow(`more than the locked ${BYTES.length} bytes`);
    expect(Math.max(...received)).toBeLessThanOrEqual(BYTES.length);
    expect(asked).toHaveLength(1);
  });

  test('a server that is slow, but never silent, is waited for', async () => {
    // Nine pieces, each well within the time that silence may last, all of them well beyond it.
    const slow: RequestListener = (_, response) => {
      let at = 0;
      const timer = setInterval(() => {
        const end = Math.min(BYTES.length, at + Math.ceil(BYTES.length / 9));
        response.write(BYTES.subarray(at, end));
        at = end;
        if (at < BYTES.length) return;
        clearInterval(timer);
        response.end();
      }, 100);
    };
    const bytes = await fetching({ ...source(await mirror(slow)), idleMs: 500 });
    expect([bytes.equals(BYTES), asked.length]).toEqual([true, 1]);
  });

  test('a server that falls silent is left, and the error says so', async () => {
    const silent: RequestListener = (_, response) => void response.write(BYTES.subarray(0, 1000));
    await expect(fetching({ ...source(await mirror(silent)), idleMs: 40 })).rejects.toThrow(
      'the server was silent for 0.04 s',
    );
    expect(asked).toHaveLength(4);
  });
});
