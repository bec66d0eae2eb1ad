import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { encodeFrame, encodeStream, FRAME, type Frame, FrameReader } from './frame.ts';
import { encodeRequest, encodeSize } from './request.ts';
import { type Session, serveSession, type Verb } from './session.ts';

/** Resolved by `wait` when its client is gone. */
let abandoned = Promise.withResolvers<void>();

/** What `pieces` has read. */
let inPieces: Buffer[] = [];

/** What `slow` waits for before it reads on. */
let readOn = Promise.withResolvers<void>();

const LONG = 8_000_000;

/** Verbs as small as can be: what a session gives them, and what it makes of their end. */
const VERBS: Record<string, Verb> = {
  echo: async ({ input, output, errorOutput }) => {
    errorOutput.write('reading');
    output.write(await text(input));
    return 7;
  },
  pieces: async ({ input }) => {
    inPieces = [];
    for await (const piece of input) {
      inPieces.push(piece);
      // The rest comes meanwhile.
      await new Promise(setImmediate);
    }
    return 0;
  },
  slow: async ({ input }) => {
    let length = 0;
    for await (const piece of input) {
      length += piece.length;
      await readOn.promise;
    }
    return length === LONG ? 0 : 1;
  },
  refuse: async () => {
    await readOn.promise;
    return 1;
  },
  half: async ({ input }) => {
    await input[Symbol.asyncIterator]().next();
    await readOn.promise;
    return 1;
  },
  size: async ({ output }) => {
    await once(output, 'resize');
    output.write(`${output.columns}x${output.rows}`);
    return 0;
  },
  fail: () => Promise.reject(new Error('no such luck')),
  wait: async ({ input, gone }) => {
    await once(gone, 'abort');
    await text(input);
    abandoned.resolve();
    return 0;
  },
  flood: async ({ output }) => {
    output.write('x'.repeat(5_000_000));
    output.write('y');
    return 0;
  },
};

interface Client {
  socket: Socket;
  /** Its other end. */
  served: Socket;
  session: Session;
  ask(verb: string): void;
  /** All that came, once the session has ended. */
  answer(): Promise<{ output: string; errors: string; status: number | undefined; frames: Frame[] }>;
}

async function connect(): Promise<Client> {
  const dir = mkdtempSync(join(tmpdir(), 'hearth-session-'));
  const path = join(dir, 's');
  const server = createServer().listen(path);
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const socket = createConnection(path);
  const [served] = await connected;
  const session = serveSession(served, VERBS);
  onTestFinished(() => {
    socket.destroy();
    served.destroy();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const pieces: Buffer[] = [];
  socket.on('data', (bytes) => void pieces.push(bytes));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  return {
    socket,
    served,
    session,
    ask: (verb) =>
      void socket.write(
        encodeFrame(
          FRAME.request,
          encodeRequest({ verb, argv: [], terminal: { type: 'xterm', columns: 80, rows: 24 } }),
        ),
      ),
    answer: async () => {
      await closed;
      const frames = new FrameReader().push(Buffer.concat(pieces)) ?? [];
      const of = (type: number): string =>
        Buffer.concat(frames.filter((frame) => frame.type === type).map(({ payload }) => payload)).toString();
      const last = frames.at(-1);
      return {
        output: of(FRAME.output),
        errors: of(FRAME.errorOutput),
        status: last?.type === FRAME.exit ? last.payload[0] : undefined,
        frames,
      };
    },
  };
}

test('standard streams and an exit status, as of a program', async () => {
  const { socket, ask, answer } = await connect();
  ask('echo');
  socket.write(Buffer.concat([encodeStream(FRAME.input, Buffer.from('one two')), encodeFrame(FRAME.input)]));
  const { output, errors, status, frames } = await answer();
  expect({ output, errors, status }).toEqual({ output: 'one two', errors: 'reading', status: 7 });
  expect(frames[0]?.type).toBe(FRAME.ready);
});

test('input that is iterated comes piece by piece, uncopied, in order and to its end', async () => {
  const { socket, ask, answer } = await connect();
  ask('pieces');
  const long = Buffer.alloc(1_000_000, 'a long input, ');
  socket.write(Buffer.concat([encodeStream(FRAME.input, long), encodeFrame(FRAME.input)]));
  expect(await answer()).toMatchObject({ status: 0 });
  expect(Buffer.concat(inPieces).equals(long)).toBe(true);
  // A socket is read by 64 KiB: nothing was put together.
  expect(Math.max(...inPieces.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
});

test('who iterates slowly slows the client: no more waits here than a little', async () => {
  readOn = Promise.withResolvers<void>();
  const { socket, served, ask, answer } = await connect();
  ask('slow');
  socket.write(Buffer.concat([encodeStream(FRAME.input, Buffer.alloc(LONG)), encodeFrame(FRAME.input)]));
  await expect.poll(() => served.isPaused(), { timeout: 30_000 }).toBe(true);
  expect(served.bytesRead).toBeLessThan(1_000_000);
  readOn.resolve();
  expect(await answer()).toMatchObject({ status: 0 });
});

test.each(['refuse', 'half'])(
  'a verb that does not read to the end (%s): who goes on sending has its answer, and holds nothing when it leaves',
  async (verb) => {
    readOn = Promise.withResolvers<void>();
    const { socket, served, session, ask } = await connect();
    ask(verb);
    // More than waits anywhere, so that it still sends when the answer has come.
    socket.write(encodeStream(FRAME.input, Buffer.alloc(LONG)));
    await expect.poll(() => served.isPaused() || served.bytesRead === 0, { timeout: 30_000 }).toBe(true);
    const answered = once(socket, 'end');
    readOn.resolve();
    await answered;
    socket.destroy();
    await session.ended;
  },
);

test('the size of the terminal, and its changes', async () => {
  const { socket, ask, answer } = await connect();
  ask('size');
  socket.write(encodeFrame(FRAME.size, encodeSize({ columns: 132, rows: 43 })));
  expect(await answer()).toMatchObject({ output: '132x43', status: 0 });
});

test('all of a long answer comes before the status', async () => {
  const { ask, answer } = await connect();
  ask('flood');
  const { output, status } = await answer();
  expect([output.length, output.at(-1), status]).toEqual([5_000_001, 'y', 0]);
});

test('a verb that is not there, one that fails, and a session that is ended from here', async () => {
  for (const [verb, errors, status] of [
    ['toString', "this app knows no 'toString'\n", 2],
    ['fail', "'fail' failed: Error: no such luck\n", 1],
  ] as const) {
    const { ask, answer } = await connect();
    ask(verb);
    expect(await answer()).toMatchObject({ errors, status });
  }
  const { ask, answer, session } = await connect();
  ask('wait');
  session.end('the app stops');
  expect(await answer()).toMatchObject({ errors: 'the app stops\n', status: 1 });
});

test('a client that goes away ends what waits for it', async () => {
  abandoned = Promise.withResolvers<void>();
  const { ask, socket, session } = await connect();
  ask('wait');
  await once(socket, 'data');
  socket.destroy();
  await session.ended;
  await abandoned.promise;
});

test('who does not begin with a request is told, and nothing that is sent does harm', async () => {
  const { socket, answer } = await connect();
  socket.write('GET / HTTP/1.1\r\n\r\n');
  expect(await answer()).toMatchObject({
    errors: expect.stringContaining('not of this protocol'),
    status: 1,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), async (pieces) => {
      const { socket, ask, session } = await connect();
      if (pieces.length % 2 === 0) ask('echo');
      for (const piece of pieces) socket.write(piece);
      socket.end();
      await session.ended;
    }),
    { numRuns: 30 },
  );
});
