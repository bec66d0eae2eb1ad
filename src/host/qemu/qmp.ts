import type { Duplex } from 'node:stream';
import { FwError } from '../../errors.ts';

/** An event as QEMU reports it (docs: QEMU QMP Reference Manual). */
export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
}

interface Pending {
  command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A client of QEMU's control protocol (QMP: one JSON object a line). Commands are answered in order; events come
 * in between. When the connection ends, what is pending is rejected.
 */
export class Qmp {
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  readonly #stream: Duplex;
  readonly #pending: Pending[] = [];
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = Promise.withResolvers<void>();
  #rest = '';
  #ended = false;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#take(text));
    // A QEMU that dies resets the connection: the same to us as an orderly end.
    stream.on('error', () => this.#end());
    stream.on('close', () => {
      this.#end();
      closed.resolve();
    });
  }

  /**
   * Waits for the greeting and enters command mode.
   * @throws FwError `qmp-closed` when QEMU hangs up before that
   */
  static async connect(stream: Duplex): Promise<Qmp> {
    const qmp = new Qmp(stream);
    await qmp.#greeting.promise;
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /**
   * Runs a command and gives what it returned.
   * @throws FwError `qmp-error` with QEMU's own words, `qmp-closed` when QEMU is gone
   */
  execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#ended) return Promise.reject(closedError(command));
    return new Promise((resolve, reject) => {
      this.#pending.push({ command, resolve, reject });
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  /** Runs a line of QEMU's human monitor, for what QMP has no command for. */
  async monitor(line: string): Promise<string> {
    const text = await this.execute('human-monitor-command', { 'command-line': line });
    return typeof text === 'string' ? text : '';
  }

  /** Calls the listener for each event, until the function that it returns is called. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const message: unknown = JSON.parse(line);
      if (isRecord(message)) this.#dispatch(message);
    }
  }

  #dispatch(message: Record<string, unknown>): void {
    if ('QMP' in message) this.#greeting.resolve();
    else if (typeof message.event === 'string') {
      const event = { event: message.event, data: isRecord(message.data) ? message.data : {} };
      for (const listener of [...this.#listeners]) listener(event);
    } else if ('return' in message) this.#pending.shift()?.resolve(message.return);
    else if (isRecord(message.error)) {
      const pending = this.#pending.shift();
      const { class: kind, desc } = message.error;
      pending?.reject(
        new FwError('qmp-error', `QEMU refused '${pending.command}': ${desc}`, { where: `${kind}` }),
      );
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#greeting.reject(closedError('qmp_capabilities'));
    for (const { command, reject } of this.#pending.splice(0)) reject(closedError(command));
  }
}

function closedError(command: string): FwError {
  return new FwError('qmp-closed', `QEMU is gone and did not answer '${command}'`, {
    where: 'QMP',
    remedy: 'Look at what the emulated console and QEMU itself printed.',
  });
}
