import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../build/test-random.ts';
import * as nbd from './protocol.ts';
import { ServedDisk } from './served-disk.ts';

const MiB = 1024 * 1024;
const SIZE = 4 * MiB;
const run = promisify(execFile);

let folder: string;
let image: Buffer;
let served: ServedDisk;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-nbd-'));
  image = Buffer.alloc(SIZE, 'what was there before. ');
  await writeFile(join(folder, 'disk.img'), image);
  served = await ServedDisk.open({ image: join(folder, 'disk.img'), folder, random: seededRandom('cuts') });
});
afterEach(async () => {
  await served[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** QEMU's own client, with write-back: its flushes, and FUA where it is asked for, come to the server. */
async function qemuIo(...commands: string[]): Promise<string> {
  const args = ['-f', 'raw', '-t', 'writeback', ...commands.flatMap((command) => ['-c', command])];
  const { stdout } = await run('qemu-io', [...args, uri()]);
  return stdout;
}

function uri(): string {
  return `nbd+unix:///?socket=${served.socket}`;
}

describe('as QEMU sees it', () => {
  test('the disk is its image, and what is written is read back', async () => {
    const same = await run('qemu-img', [
      'compare',
      '-f',
      'raw',
      '-F',
      'raw',
      join(folder, 'disk.img'),
      uri(),
    ]);
    expect(same.stdout).toContain('Images are identical');
    const output = await qemuIo(
      'write -P 0xaa 65000 3000',
      'write -P 0xbb 1M 1M',
      'write -z 1M 64k',
      'discard 1280k 128k',
      'read -P 0xaa 65000 3000',
      'read -P 0 1M 64k',
      'read -P 0xbb 1088k 192k',
      'read -P 0 1280k 128k',
    );
    expect(output).not.toMatch(/verification failed|error/i);
    expect(output.match(/^read /gm)).toHaveLength(4);
    image.fill(0xaa, 65_000, 68_000).fill(0xbb, MiB, 2 * MiB);
    image.fill(0, MiB, MiB + 64 * 1024).fill(0, 1.25 * MiB, 1.375 * MiB);
    expect(image.equals(served.disk.read(0, SIZE))).toBe(true);
    expect(served.complaints).toEqual([]);
  });

  test('it is found by its list, and by no other name', async () => {
    const { stdout } = await run('qemu-nbd', ['--list', '-k', served.socket]);
    expect(stdout).toMatch(/exports available: 1/);
    expect(stdout).toMatch(/size: +4194304/);
    expect(stdout).toMatch(/flags: .*flush.* fua.* trim.* zeroes/);
    await expect(run('qemu-img', ['info', `nbd+unix:///other?socket=${served.socket}`])).rejects.toThrow();
  });

  test('what it has flushed outlives any cut, and so does a write that is durable by itself', async () => {
    // On leaving, qemu-io flushes: only what one process did before another was cut can be lost.
    await qemuIo('write -P 1 0 1M', 'flush');
    for (let cuts = 0; cuts < 20; cuts++) {
      await using client = await Client.greeted();
      expect(await client.ask({ command: nbd.COMMAND.write, offset: 2 * MiB, payload: filled(2) })).toBe(0);
      const durable = { command: nbd.COMMAND.write, flags: nbd.COMMAND_FLAG.durable };
      expect(await client.ask({ ...durable, offset: 3 * MiB, payload: filled(cuts) })).toBe(0);
      served.cutPower();
      expect(served.disk.read(0, MiB).every((byte) => byte === 1)).toBe(true);
      expect(served.disk.read(3 * MiB, 65_536).every((byte) => byte === cuts)).toBe(true);
    }
    // Of what was not, a cut loses some, and not always.
    expect(served.cuts.length).toBe(20);
    expect(new Set(served.cuts).size).toBeGreaterThan(1);
  });

  test('it is what the cut left, for the next machine too; the one before is not served any more', async () => {
    const lost = new Set<boolean>();
    for (let cuts = 0; cuts < 40; cuts++) {
      await using client = await Client.greeted();
      await client.ask({ command: nbd.COMMAND.write, offset: 0, payload: filled(cuts + 1) });
      served.cutPower();
      const left = served.disk.read(0, 65_536);
      lost.add(!left.includes(cuts + 1));
      client.send({ command: nbd.COMMAND.write, offset: MiB, payload: filled(0xee) });
      await using next = await Client.greeted();
      expect(await next.read(0, 65_536)).toEqual(Buffer.from(left));
      expect(await next.read(MiB, 65_536)).not.toContain(0xee);
    }
    expect(lost).toEqual(new Set([true, false]));
  });
});

test('what a client flushes on its way out, after its guest’s reset, can be lost all the same', async () => {
  await using client = await Client.greeted();
  expect(await client.ask({ command: nbd.COMMAND.write, offset: 0, payload: filled(1) })).toBe(0);
  served.leave();
  expect(await client.ask({ command: nbd.COMMAND.flush, offset: 0 })).toBe(0);
  await using next = await Client.greeted();
  expect(await next.read(0, 65_536)).toEqual(filled(1));
  served.cutPower();
  expect(served.cuts).toEqual([expect.stringContaining(' 1 unflushed writes ')]);
});

test('the power can fail right after the nth change, which is not answered any more', async () => {
  await using client = await Client.greeted();
  const cut = served.cutPowerAfter(3);
  const write = { command: nbd.COMMAND.write, flags: nbd.COMMAND_FLAG.durable };
  for (const n of [1, 2]) expect(await client.ask({ ...write, offset: n * MiB, payload: filled(n) })).toBe(0);
  for (const n of [3, 0]) client.send({ ...write, offset: n * MiB, payload: filled(n) });
  await cut;
  await using next = await Client.greeted();
  expect(await next.read(3 * MiB, 65_536)).toEqual(filled(3));
  expect(await next.read(0, 4)).toEqual(Buffer.from('what'));
  expect(served.cuts).toEqual(['nothing was unflushed']);
});

test('a flush at which the power fails is not done', async () => {
  await using client = await Client.greeted();
  const cut = served.cutPowerAfter(2);
  await client.ask({ command: nbd.COMMAND.write, offset: MiB, payload: filled(1) });
  client.send({ command: nbd.COMMAND.flush, offset: 0 });
  await cut;
  expect(served.cuts).toEqual([expect.stringMatching(/ 1 unflushed writes/)]);
});

describe('a client that does not keep to the protocol', () => {
  const request = async (command: number, offset: number, length: number): Promise<number> => {
    await using client = await Client.greeted();
    return await client.ask({ command, offset, length });
  };

  test('is refused what lies behind the end, is too large, or is unknown', async () => {
    expect(await request(nbd.COMMAND.read, SIZE - 1, 2)).toBe(nbd.ERRNO.invalid);
    expect(await request(nbd.COMMAND.read, 2 ** 60, 512)).toBe(nbd.ERRNO.invalid);
    expect(await request(nbd.COMMAND.writeZeroes, SIZE, 512)).toBe(nbd.ERRNO.noSpace);
    expect(await request(nbd.COMMAND.trim, SIZE, 512)).toBe(nbd.ERRNO.invalid);
    expect(await request(nbd.COMMAND.read, 0, 0xffff_ffff)).toBe(nbd.ERRNO.invalid);
    expect(await request(99, 0, 0)).toBe(nbd.ERRNO.invalid);
    await using client = await Client.greeted();
    expect(await client.ask({ command: nbd.COMMAND.write, offset: SIZE - 512, payload: filled(1) })).toBe(
      nbd.ERRNO.noSpace,
    );
    // It is still understood.
    expect(await client.read(0, 4)).toEqual(Buffer.from('what'));
  });

  test('is cut off where it cannot be understood any more', async () => {
    for (const bytes of [
      Buffer.alloc(28),
      requestBytes({ command: nbd.COMMAND.write, offset: 0, length: nbd.MAX_PAYLOAD + 1 }),
    ]) {
      await using client = await Client.greeted();
      client.socket.write(bytes);
      await client.readToEnd();
    }
    expect(served.complaints).toHaveLength(2);
  });

  test('whatever it sends, the disk is served to the next, and nothing has changed but by writes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(junk(), { maxLength: 8 }), async (greets, pieces) => {
        await using client = greets ? await Client.greeted() : await Client.open();
        for (const piece of pieces) client.socket.write(piece);
        client.socket.end();
        await client.readToEnd();
        await using next = await Client.greeted();
        expect(await next.read(0, 8)).toHaveLength(8);
      }),
      { numRuns: 150 },
    );
    expect(served.disk.read(0, SIZE)).toHaveLength(SIZE);
  });
});

/** Bytes that are nothing, and such that are nearly something. */
function junk(): fc.Arbitrary<Buffer> {
  const number = fc.integer({ min: 0, max: 0xffff_ffff });
  return fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({ command: fc.nat(8), flags: fc.nat(7), offset: fc.nat(2 * SIZE), length: number })
      .map(requestBytes),
    fc.tuple(fc.nat(12), number, fc.uint8Array({ maxLength: 32 })).map(([option, length, data]) => {
      const header = optionHeader(option, fc.sample(fc.boolean(), 1)[0] ? data.length : length);
      return Buffer.concat([header, data]);
    }),
  );
}

interface Asked {
  command: number;
  flags?: number;
  offset: number;
  length?: number;
  payload?: Buffer;
}

function filled(byte: number): Buffer {
  return Buffer.alloc(65_536, byte);
}

function requestBytes({ command, flags = 0, offset, payload, length = payload?.length ?? 0 }: Asked): Buffer {
  const header = Buffer.alloc(nbd.REQUEST_BYTES);
  header.writeUInt32BE(0x25609513, 0);
  header.writeUInt16BE(flags, 4);
  header.writeUInt16BE(command, 6);
  header.writeBigUInt64BE(7n, 8);
  header.writeBigUInt64BE(BigInt(offset), 16);
  header.writeUInt32BE(length, 24);
  return Buffer.concat([header, payload ?? Buffer.alloc(0)]);
}

function optionHeader(option: number, length: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64BE(nbd.OPTION_MAGIC, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(length, 12);
  return header;
}

/** For what QEMU's clients do not do: leaving without a flush, and lies. */
class Client implements AsyncDisposable {
  readonly socket: Socket;
  readonly #closed: Promise<unknown>;
  readonly #bytes: AsyncIterator<Buffer>;
  #have: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    // A server that hangs up while bytes are on their way resets the connection.
    socket.on('error', () => socket.destroy());
    this.#closed = new Promise((resolve) => socket.on('close', resolve));
    this.#bytes = socket.iterator({ destroyOnReturn: false });
  }

  static async open(): Promise<Client> {
    const socket = connect(served.socket);
    await once(socket, 'connect');
    return new Client(socket);
  }

  /** Chooses the export as old clients do. */
  static async greeted(): Promise<Client> {
    const client = await Client.open();
    const flags = Buffer.from([0, 0, 0, 3]);
    client.socket.write(Buffer.concat([flags, optionHeader(nbd.OPTION.exportName, 0)]));
    const hello = await client.take(28);
    expect(hello.readBigUInt64BE(18)).toBe(BigInt(SIZE));
    return client;
  }

  async take(length: number): Promise<Buffer> {
    while (this.#have.length < length) {
      const next = await this.#bytes.next();
      if (next.done) throw new Error('the server has hung up');
      this.#have = Buffer.concat([this.#have, next.value]);
    }
    const taken = this.#have.subarray(0, length);
    this.#have = this.#have.subarray(length);
    return taken;
  }

  /** Until the server has hung up. */
  async readToEnd(): Promise<void> {
    try {
      while (!(await this.#bytes.next()).done);
    } catch (error) {
      // That it was reset, with bytes of ours unread, is an end as well.
      if (!this.socket.destroyed) throw error;
    }
  }

  send(asked: Asked): void {
    this.socket.write(requestBytes(asked));
  }

  /** @returns the error number of the answer */
  async ask(asked: Asked): Promise<number> {
    this.send(asked);
    const reply = await this.take(16);
    expect(reply.readBigUInt64BE(8)).toBe(7n);
    return reply.readUInt32BE(4);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    expect(await this.ask({ command: nbd.COMMAND.read, offset, length })).toBe(0);
    return this.take(length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.#closed;
  }
}
