import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  agent,
  type ChildSpec,
  Client,
  child,
  dynamicSupervisor,
  pool,
  port,
  Server,
  type ServerRef,
  type SupervisorRef,
  supervisor,
  taskSupervisor,
  timer,
} from '../../src/otp/index.ts';
import type { Random } from './random.ts';
import { squares } from './squares.ts';
import { type Habits, Subject } from './subject.ts';

/** Supervisors whose restarts are compared with what they reported. */
export const GROUPS = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;

/** Names of subjects that are always there, or about to be. */
export const LASTING = [
  ...['a0', 'a1', 'a2', 'flaky', 'b0', 'b1', 'b2', 'c0', 'c1', 'c2', 'c3', 'd0', 'd1'],
] as const;

/** Those of them that trap exits. */
export const TRAPPING: readonly string[] = ['a1', 'b2'];

/** Sends itself messages for as long as it lives. */
class Ticker extends Server {
  #ticks = 0;
  override init(): void {
    const me: ServerRef<Ticker> = this.self;
    timer.sendEvery(20, me, 'tick');
    timer.applyEvery(35, () => this.#ticks++);
    this.setTimeout(10_000);
  }
  override info(): void {
    this.#ticks++;
  }
  ticks(): number {
    return this.#ticks;
  }
}

/** An ordinary client: a socket to a server that hangs up now and then. */
export class Line extends Client<Socket> {
  #path = '';
  protected override get times() {
    return { connectMs: 5_000, healthMs: 500, healthyWithinMs: 5_000 };
  }
  override async init(path: string): Promise<void> {
    this.#path = path;
    await super.init();
  }
  protected connect(signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.#path, signal });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.on('error', (error) => this.failed(error));
        socket.on('close', () => this.failed(new Error('the other side hung up')));
        socket.resume();
        resolve(socket);
      });
    });
  }
  protected override healthy(socket: Socket): boolean {
    return socket.writable;
  }
  protected override disconnect(socket: Socket): void {
    socket.removeAllListeners('close');
    socket.destroy();
  }
  say(text: string) {
    return this.use((socket) => new Promise<void>((done) => socket.write(text, () => done())));
  }
}

/** The other side of `Line`. */
export async function hangsUp(folder: string): Promise<{ path: string; server: NetServer; hangUp(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  const path = join(folder, 'line.socket');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    server,
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

export interface TreeOptions {
  random: Random;
  socket: string;
  /** The path of heart, where ports are to be started by it. */
  heart: string | false;
}

/** Something of everything. Only `fragile` may give up; what is above it starts it again. */
export function tree({ random, socket, heart }: TreeOptions): ChildSpec<SupervisorRef> {
  const maxRestarts = Infinity;
  const subject = (name: string, habits: Habits = {}) =>
    child(Subject, { name, args: [{ ...habits, random }], mailboxLimit: 10_000, shutdown: 2_000 });
  const stop = { closeMs: 200, termMs: 200, killMs: 5_000 };
  return supervisor({
    name: 'top',
    maxRestarts,
    // Whoever takes the place of a supervisor that was killed may find its children's names taken, for a moment.
    backoff: { minMs: 1, maxMs: 50 },
    children: [
      supervisor({
        name: 'one_for_one',
        maxRestarts,
        children: [
          ...[subject('a0'), subject('a1', { trap: true }), subject('a2', { endMs: 5, failEnd: 20 })],
          subject('flaky', { failInit: 30, initMs: 1 }),
        ],
      }),
      supervisor({
        name: 'one_for_all',
        strategy: 'one_for_all',
        maxRestarts,
        children: [subject('b0'), subject('b1', { initMs: 2, endMs: 2 }), subject('b2', { trap: true })],
      }),
      supervisor({
        name: 'rest_for_one',
        strategy: 'rest_for_one',
        maxRestarts,
        children: [subject('c0'), subject('c1', { endMs: 1 }), subject('c2'), subject('c3')],
      }),
      supervisor({ name: 'fragile', children: [subject('d0'), subject('d1')] }),
      dynamicSupervisor({ name: 'dynamic', maxRestarts }),
      taskSupervisor({ name: 'tasks', maxRestarts }),
      agent(() => new Map<string, number>(), { name: 'agent' }),
      child(Subject, { name: 'bounded', args: [{}], mailboxLimit: 50 }),
      pool({
        name: 'pool',
        worker: child(Subject, { args: [{}] }),
        size: 3,
        overflow: 2,
        maxWaiting: 50,
        maxRestarts,
      }),
      child(Ticker, { name: 'ticker' }),
      child(Line, { name: 'line', args: [socket] }),
      port({ name: 'cat2', command: 'cat', packet: 2, heart, stop }),
      port({ name: 'cat-lines', command: 'cat', line: true, heart: false, stop }),
      squares.child({ name: 'squares', timeoutMs: 10_000 }),
    ],
  });
}
