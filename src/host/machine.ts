import { FwError } from '../errors.ts';
import type { Board } from './board.ts';
import { GuestShell } from './guest-shell.ts';
import { Lines } from './lines.ts';
import type { Forward } from './qemu/args.ts';
import { actualForwards } from './qemu/forwards.ts';
import { type QemuExit, type QemuProcess, startQemu } from './qemu/process.ts';
import type { Qmp, QmpEvent } from './qemu/qmp.ts';

export interface MachineExit {
  /**
   * `guest-shutdown`: it switched itself off. `stopped`, `power-cut`: by `stop` and `cutPower`. `failed`: QEMU ended for
   * another reason, or the board does not boot any more; `error` says why.
   */
  reason: 'guest-shutdown' | 'stopped' | 'power-cut' | 'failed';
  /** Of the last QEMU process. */
  code: number | null;
  signal: NodeJS.Signals | null;
  error?: FwError;
}

/** A reset of the machine, power-on aside. */
export interface MachineReset {
  /** `watchdog`: QEMU's i6300esb ran out. A software watchdog of the guest counts as `guest`. */
  cause: 'guest' | 'watchdog' | 'button';
}

interface ResetWaiter {
  resolve(reset: MachineReset): void;
  reject(error: FwError): void;
}

/**
 * An emulated machine that runs. It lives through resets, also where each needs a new QEMU process: ports, console,
 * shell and forwards stay the same objects.
 */
export class Machine {
  readonly board: Board;
  /** First serial port as the target sees it: what boot loader, kernel, heart and the app print. */
  readonly console = new Lines('console');
  /** Second serial port, as text; for transcripts. */
  readonly shellPort = new Lines('shell port');
  /** A root shell on the second serial port, for firmware that was built with console: 'shell'. */
  readonly shell = new GuestShell(this.shellPort);
  /** Resolves when the machine is off for good. Never rejects. */
  readonly exited: Promise<MachineExit>;
  /** Resets so far, the oldest first. */
  readonly resets: MachineReset[] = [];
  readonly #ended = Promise.withResolvers<MachineExit>();
  readonly #resetWaiters = new Set<ResetWaiter>();
  #forwards: readonly Forward[];
  #process: QemuProcess | undefined;
  /** Resolves when a QEMU process runs: at once, but for the moment between two of them. */
  #running = Promise.withResolvers<void>();
  #ending: 'guest-shutdown' | 'stopped' | 'power-cut' | undefined;
  /** Why it cannot go on, though QEMU could. */
  #failure: FwError | undefined;
  #shutdownReason = '';
  #watchdogFired = false;

  private constructor(board: Board, forwards: readonly Forward[]) {
    this.board = board;
    this.#forwards = forwards;
    this.exited = this.#ended.promise;
  }

  /**
   * Switches a board on.
   * @throws FwError of the board or of QEMU when it does not start
   */
  static async start(board: Board, forwards: readonly Forward[]): Promise<Machine> {
    const machine = new Machine(board, forwards);
    const first = await machine.#powerOn();
    void machine.#live(first);
    return machine;
  }

  /** Of the QEMU process that runs now; undefined when none does. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Ports of 127.0.0.1 and where they lead; where any free port was asked for, this is the one it became. */
  get forwards(): readonly Forward[] {
    return this.#forwards;
  }

  /**
   * The port of 127.0.0.1 that leads to a port of the guest.
   * @throws FwError `not-forwarded`
   */
  portOf(guest: number): number {
    const forward = this.#forwards.find((candidate) => candidate.guest === guest);
    if (forward) return forward.host;
    throw new FwError('not-forwarded', `port ${guest} of the guest is not forwarded`, {
      where: `guest port ${guest}`,
      remedy: `Start the machine with a forward to port ${guest}.`,
    });
  }

  /**
   * QEMU's control protocol. Where a reset starts a new QEMU this is another object afterwards.
   * @throws FwError `machine-gone`
   */
  get qmp(): Qmp {
    if (!this.#process) throw this.#gone('it is off');
    return this.#process.qmp;
  }

  /**
   * Waits for the next reset.
   * @throws FwError `reset-timeout`, `machine-gone`
   */
  waitForReset(options: { timeoutMs?: number } = {}): Promise<MachineReset> {
    const { timeoutMs = 60_000 } = options;
    if (!this.#process) return Promise.reject(this.#gone('it is off'));
    const { promise, resolve, reject } = Promise.withResolvers<MachineReset>();
    const waiter = { resolve, reject };
    this.#resetWaiters.add(waiter);
    const timer = setTimeout(() => {
      reject(
        new FwError(
          'reset-timeout',
          `no reset within ${timeoutMs / 1000} s; the last lines were:\n${this.console.tail()}`,
          {
            where: this.board.emulator,
          },
        ),
      );
    }, timeoutMs);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#resetWaiters.delete(waiter);
    });
  }

  /** Presses the reset button. Resolves when the machine has been reset. */
  async reset(): Promise<void> {
    await this.#running.promise;
    await Promise.all([this.waitForReset(), this.qmp.execute('system_reset')]);
  }

  /** Presses the power button (ACPI): what that means is up to the guest. */
  async powerButton(): Promise<void> {
    await this.qmp.execute('system_powerdown');
  }

  /**
   * Pulls the plug: SIGKILL. What the guest had handed to its disk stays in an image; a served disk loses its power, too, and with
   * it what was not flushed.
   */
  async cutPower(): Promise<MachineExit> {
    this.#ending ??= 'power-cut';
    // The disk of a machine that is off may be another one's by now.
    if (this.#process) this.board.cutPower?.();
    await this.#process?.kill();
    return this.exited;
  }

  /** Switches it off in order as far as QEMU is concerned; the guest notices nothing. Harmless when it is off already. */
  async stop(): Promise<MachineExit> {
    this.#ending ??= 'stopped';
    await this.#process?.quit();
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #live(first: QemuProcess): Promise<void> {
    let current = first;
    try {
      for (;;) {
        const exit = await current.exited;
        if (this.#ending || this.#failure || !this.#shallRestart()) {
          this.#finish(this.#verdict(exit));
          return;
        }
        current = await this.#powerOn();
      }
    } catch (error) {
      this.#finish({ reason: 'failed', code: null, signal: null, error: asFwError(error) });
    }
  }

  #shallRestart(): boolean {
    return this.board.resetEndsQemu && /reset$/.test(this.#shutdownReason);
  }

  #verdict({ code, signal, diagnostics }: QemuExit): MachineExit {
    if (this.#ending) return { reason: this.#ending, code, signal };
    if (this.#failure) return { reason: 'failed', code, signal, error: this.#failure };
    if (this.#shutdownReason === 'guest-shutdown') return { reason: 'guest-shutdown', code, signal };
    const how = signal ? `was killed by ${signal}` : `ended with status ${code}`;
    const said = diagnostics.trim() || 'it said nothing';
    const error = new FwError(
      'qemu-failed',
      `QEMU ${how} (${this.#shutdownReason || 'unannounced'}): ${said}`,
      {
        where: this.board.emulator,
      },
    );
    return { reason: 'failed', code, signal, error };
  }

  #finish(exit: MachineExit): void {
    this.#process = undefined;
    this.#running.resolve();
    const why = exit.error ?? this.#gone(exit.reason);
    for (const waiter of [...this.#resetWaiters]) waiter.reject(why);
    this.console.end(why);
    this.shell.lost(why);
    this.shellPort.end(why);
    this.#ended.resolve(exit);
  }

  #gone(why: string): FwError {
    return new FwError('machine-gone', `the emulated machine does not run: ${why}`, {
      where: this.board.emulator,
      expected: 'a machine that runs',
    });
  }

  async #powerOn(): Promise<QemuProcess> {
    const { file, args, notes = [] } = await this.board.powerOn(this.#forwards);
    for (const note of notes) this.console.note(note);
    const started = await startQemu(file, args);
    this.#process = started;
    this.#shutdownReason = '';
    const { qmp } = started;
    try {
      qmp.onEvent((event) => this.#onEvent(event));
      this.#forwards = actualForwards(this.#forwards, await qmp.monitor('info usernet'));
      const [first, second] = started.serials;
      const swapped = this.board.consoleSerial === 1;
      this.console.attach(swapped ? second : first);
      this.shellPort.attach(swapped ? first : second);
      this.#watchPowerOff(started);
      // Somebody may have switched it off while it was between two processes.
      if (this.#ending) await started.kill();
      else await qmp.execute('cont');
      this.#running.resolve();
    } catch (error) {
      const { diagnostics } = await started.kill();
      throw error instanceof FwError && error.code === 'qmp-closed' && !this.#ending
        ? new FwError('qemu-failed', `QEMU ended as the machine was started: ${diagnostics.trim()}`, {
            where: file,
            cause: error,
          })
        : error;
    }
    return started;
  }

  #watchPowerOff(started: QemuProcess): void {
    const { powerOffLine } = this.board;
    if (!powerOffLine) return;
    const off = async (): Promise<void> => {
      await this.console.waitFor(powerOffLine, { from: 'now', take: false, timeoutMs: FOREVER_MS });
      if (this.#process !== started) return;
      this.#ending ??= 'guest-shutdown';
      await started.quit();
    };
    // It fails when the machine ends otherwise, which others report.
    void off().catch(() => undefined);
  }

  #onEvent({ event, data }: QmpEvent): void {
    const { reason } = data;
    if (event === 'WATCHDOG') {
      this.#watchdogFired = true;
      const paused = this.#process;
      if (paused && this.board.watchdogPauses)
        void this.#resetInPlace(paused).catch((error: unknown) => this.#giveUp(paused, error));
    } else if (event === 'RESET' && typeof reason === 'string') this.#onReset(reason);
    else if (event === 'SHUTDOWN' && typeof reason === 'string') {
      this.#shutdownReason = reason;
      if (!this.#shallRestart()) return;
      this.board.leaveDisk?.();
      this.#running = Promise.withResolvers();
      this.#onReset(reason);
    }
  }

  /** Goes on in the same QEMU, whose watchdog remembers that it has run out. */
  async #resetInPlace({ qmp }: QemuProcess): Promise<void> {
    await qmp.execute('set-action', { reboot: 'reset' });
    await Promise.all([this.waitForReset(), qmp.execute('system_reset')]);
    await qmp.execute('set-action', { reboot: 'shutdown' });
    await qmp.execute('cont');
  }

  /** The guest is paused, and would be for ever. */
  #giveUp(paused: QemuProcess, error: unknown): void {
    const failure = asFwError(error);
    // QEMU has ended meanwhile, which others report.
    if (this.#process !== paused || failure.code === 'qmp-closed') return;
    this.#failure = failure;
    void paused.kill();
  }

  #onReset(reason: string): void {
    const button = reason.startsWith('host-');
    const reset: MachineReset = { cause: this.#watchdogFired ? 'watchdog' : button ? 'button' : 'guest' };
    this.#watchdogFired = false;
    this.resets.push(reset);
    this.shell.lost(
      new FwError('guest-reset', `the guest was reset (${reset.cause})`, { where: this.board.emulator }),
    );
    for (const waiter of [...this.#resetWaiters]) waiter.resolve(reset);
  }
}

function asFwError(error: unknown): FwError {
  return error instanceof FwError ? error : new FwError('internal', String(error), { cause: error });
}

/** The longest time that a timer of Node can take. */
const FOREVER_MS = 2 ** 31 - 1;
