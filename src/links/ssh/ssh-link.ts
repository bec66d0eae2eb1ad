import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { FwError } from '../../errors.ts';
import { shellWord } from '../../shell-words.ts';
import type { Answer, CallOptions, DeviceLink, Session } from '../link.ts';
import { sshArgs } from './args.ts';
import { noSsh, sshError, tooSlow } from './complaint.ts';
import { parseHost, type SshHost } from './host.ts';
import { namedLocally, type Settings, settingsOf } from './settings.ts';

export interface SshOptions {
  /** Options of ssh that go before ours. */
  extra?: readonly string[];
  connectTimeoutSeconds?: number;
}

/** The only user that a device has. */
const USER = 'root';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const CONNECT_TIMEOUT_SECONDS = 10;
const CALL_TIMEOUT_MS = 60_000;
/** ssh's own failure. No verb of a device ends so. */
const SSH_FAILED = 255;
/** What a device that talks without end may have us hold. */
const MAX_TEXT = 1024 * 1024;

/** A device at the end of the user's own ssh: their agent, configuration, known hosts and jump hosts do what they always do. */
export class SshLink implements DeviceLink {
  readonly name: string;
  #host: SshHost;
  readonly #options: SshOptions;
  /** What leads there where the user's configuration alone does not; looked up again when it has not. */
  #way: readonly string[] | undefined = [];
  #settings: Settings | undefined;

  /** @throws FwError `bad-host` */
  constructor(name: string, options: SshOptions = {}) {
    this.name = name;
    const { user = USER, ...rest } = parseHost(name);
    this.#host = { ...rest, user };
    this.#options = options;
  }

  /**
   * As the user's ssh configuration has it: the user of an alias is theirs to set. A name of multicast DNS is found also where the
   * system does not find it.
   * @throws FwError `bad-host`
   */
  static async to(name: string, options: SshOptions = {}): Promise<SshLink> {
    const link = new SshLink(name, options);
    const host = parseHost(name);
    link.#settings = await settingsOf(host, options.extra);
    if (host.user === undefined && link.#settings?.user !== undefined) link.#host = host;
    await link.#findWay();
    return link;
  }

  async #findWay(): Promise<void> {
    if (this.#settings) this.#way = await namedLocally(this.#settings);
  }

  async call(words: readonly string[], options: CallOptions = {}): Promise<Answer> {
    options.signal?.throwIfAborted();
    if (!this.#way) await this.#findWay();
    const child = this.#spawn(words, options);
    child.stdin.end();
    const { timeoutMs = CALL_TIMEOUT_MS } = options;
    const late = AbortSignal.timeout(timeoutMs);
    const stop = options.signal ? AbortSignal.any([late, options.signal]) : late;
    const kill = (): void => void child.kill();
    stop.addEventListener('abort', kill, { once: true });
    try {
      const [end, output] = await Promise.all([this.#end(child), textOf(child.stdout)]);
      return { ...end, output };
    } catch (error) {
      options.signal?.throwIfAborted();
      throw late.aborted ? tooSlow(this.name, timeoutMs) : error;
    } finally {
      stop.removeEventListener('abort', kill);
    }
  }

  open(words: readonly string[], options: CallOptions = {}): Session {
    const child = this.#spawn(words, options);
    const ended = this.#end(child).then((end) => ({ ...end, output: '' }));
    // Whoever asks is told; that nobody has asked yet is no failure of its own.
    ended.catch(() => {});
    const closed = once(child.stdin, 'close').then(() => true);
    return {
      ended,
      incoming: child.stdout,
      async write(bytes) {
        if (!child.stdin.destroyed && child.stdin.write(bytes)) return;
        if (child.stdin.destroyed || (await Promise.race([closed, once(child.stdin, 'drain')])) === true)
          throw new FwError('transfer-ended', 'the connection to the device has ended', {
            remedy: 'Try again: what is there already is not sent twice.',
          });
      },
      close: () => void child.kill(),
    };
  }

  #spawn(words: readonly string[], { mayAsk = false }: CallOptions): Child {
    const { extra = [], connectTimeoutSeconds = CONNECT_TIMEOUT_SECONDS } = this.#options;
    const options = { mayAsk, connectTimeoutSeconds, extra: [...extra, ...(this.#way ?? [])] };
    const args = sshArgs(this.#host, options);
    const child = spawn('ssh', [...args, words.map(shellWord).join(' ')], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // That ssh reads no more is told by its end.
    child.stdin.on('error', () => {});
    return child;
  }

  async #end(child: Child): Promise<Omit<Answer, 'output'>> {
    const [status, errorOutput] = await Promise.all([exitStatus(child), textOf(child.stderr)]);
    if (status === undefined || status === SSH_FAILED) {
      // A device that has rebooted may have another address.
      if (this.#settings) this.#way = undefined;
      throw sshError(this.name, errorOutput);
    }
    return { status, errorOutput };
  }
}

/** Undefined when a signal ended it. */
async function exitStatus(child: ChildProcess): Promise<number | undefined> {
  try {
    const [status] = (await once(child, 'exit')) as [number | null];
    return status ?? undefined;
  } catch (cause) {
    throw noSsh(cause);
  }
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) if (text.length < MAX_TEXT) text += piece;
  return text;
}
