import {
  child,
  named,
  namedDynamicSupervisor,
  openPort,
  type Port,
  PortBusyError,
  PortError,
  PortExitError,
  PortServer,
  type Program,
  type ServerRef,
} from '../../src/otp/index.ts';
import { guardPid } from '../../src/otp/port/guard.ts';
import type { Action, Bench } from './action.ts';
import { pause } from './subject.ts';

const STOP = { closeMs: 100, termMs: 100, killMs: 5_000 };
/** What becomes of them while everything crashes is anything but certain; how long it may take is. */
const ANSWER_MS = 10_000;

/** A server with a program of its own, which the soak takes from it now and then. */
class Echo extends PortServer {
  override async init(heart: string | false): Promise<void> {
    await this.open({ command: 'cat', packet: 4, heart, stop: STOP });
  }
  async echo(frame: Buffer): Promise<Buffer | undefined> {
    await this.port.send(frame);
    return await this.port.receive(5_000);
  }
  pid(): number {
    return this.port.pid;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function heartOf({ random, heart }: Bench): string | false {
  return random.chance(0.5) ? heart : false;
}

async function answered(port: Port<Buffer>): Promise<void> {
  await port.send(Buffer.from('is it there?'));
  await port.receive(ANSWER_MS);
}

/** Its guard was killed in the very moment of its start, and it refused to run without one. */
function unguarded(failure: PortError | undefined): boolean {
  return failure instanceof PortExitError && (failure.status === 125 || failure.signal === 'SIGPIPE');
}

const sh = (code: string) => ({ command: 'sh', args: ['-c', code], stop: STOP });

export const programActions: readonly Action[] = [
  {
    name: 'frames',
    weight: 6,
    run: async (bench) => {
      const { random, ledger } = bench;
      const packet = random.pick([1, 2, 4] as const);
      const io = random.pick(['stdio', 'fd3'] as const);
      const program = io === 'fd3' ? sh('cat <&3 >&4') : { command: 'cat', stop: STOP };
      const options = { ...program, packet, io, heart: heartOf(bench) };
      const port = await ledger.allows('openPort', openPort(options));
      if (!port) return;
      await ledger.allows('frames', async () => {
        const frames = Array.from({ length: random.between(1, 30) }, () =>
          Buffer.alloc(random.below(packet === 1 ? 256 : 5_000), random.below(256)),
        );
        const come = async (): Promise<void> => {
          for (const frame of frames) {
            const got = await port.receive(ANSWER_MS);
            if (!got?.equals(frame))
              ledger.complain(`a frame of ${frame.length} bytes came back as ${got?.length}`);
          }
        };
        await Promise.all([come(), ...frames.map((frame) => port.send(frame))]);
      });
      await ledger.call('port stop', ANSWER_MS, port.stop());
    },
  },
  {
    name: 'ends of programs',
    weight: 6,
    run: async (bench) => {
      const { random, ledger } = bench;
      const [code, status] = random.pick<[string, number | undefined]>([
        ['exit 0', 0],
        ['exit 3', 3],
        ['echo last words >&2; exit 7', 7],
        ['kill -9 $$', undefined],
        ['sleep 1000 & exit 1', 1],
      ]);
      const port = await ledger.allows(
        'openPort',
        openPort({ ...sh(code), line: true, heart: heartOf(bench) }),
      );
      if (!port) return;
      const failure = await ledger.call('port ended', ANSWER_MS, port.ended);
      const told = failure instanceof PortExitError ? failure.status : 0;
      if (told !== status && !unguarded(failure)) ledger.complain(`${code}: ended with ${failure}`);
    },
  },
  {
    name: 'kill -9 of programs',
    weight: 6,
    run: async (bench) => {
      const { random, ledger } = bench;
      const options = {
        ...sh('trap "" TERM HUP; sleep 1000 & cat'),
        raw: true,
        heart: heartOf(bench),
      } as const;
      const port = await ledger.allows('openPort', openPort(options));
      if (!port) return;
      const how = random.pick(['program', 'group', 'port', 'stopped', 'deaf'] as const);
      // At once it is still the launcher, or heart exec.
      if (random.chance(0.5)) await pause(random.below(20));
      // A launcher that is stopped by hand would hold up the guard, which waits for it to tell of itself.
      if (how === 'stopped') await ledger.allows('answer', answered(port));
      if (how === 'program') signal(port.pid, 'SIGKILL');
      else if (how === 'group') signal(-port.pid, 'SIGKILL');
      else if (how === 'port') port.kill();
      else if (how === 'stopped') signal(port.pid, 'SIGSTOP');
      if (how === 'stopped' || how === 'deaf') await ledger.call('port stop', ANSWER_MS, port.stop());
      await ledger.call('port ended', ANSWER_MS, port.ended);
    },
  },
  {
    name: 'floods',
    weight: 3,
    run: async (bench) => {
      const { random, ledger } = bench;
      const port = await ledger.allows('openPort', openPort({ command: 'yes', line: true, stop: STOP }));
      if (!port) return;
      await ledger.allows('flood', async () => {
        for (let i = random.below(2_000); i > 0; i--)
          if ((await port.receive(ANSWER_MS)) !== 'y') ledger.complain('yes said something else');
      });
      await pause(random.below(50));
      await ledger.call('port stop', ANSWER_MS, port.stop());
    },
  },
  {
    name: 'back-pressure',
    weight: 3,
    run: async (bench) => {
      const { ledger } = bench;
      const options = {
        command: 'sleep',
        args: ['1000'],
        raw: true,
        maxUnsent: 200_000,
        stop: STOP,
      } as const;
      const port = await ledger.allows('openPort', openPort(options));
      if (!port) return;
      const sends: Promise<unknown>[] = [];
      let busy = 0;
      for (let i = 0; i < 20; i++)
        sends.push(
          port.send(Buffer.alloc(50_000)).catch((error: unknown) => {
            if (error instanceof PortBusyError) busy++;
            else if (!(error instanceof PortError)) throw error;
          }),
        );
      await pause(5);
      port.kill();
      await ledger.call('port ended', ANSWER_MS, port.ended);
      await Promise.all(sends);
      if (busy === 0) ledger.complain('a program that does not read was never too busy');
    },
  },
  {
    name: 'what is no frame',
    weight: 2,
    run: async (bench) => {
      const { ledger } = bench;
      const options = { ...sh("printf '\\377\\377\\377\\377 too much'; sleep 1000"), packet: 4 } as const;
      const port = await ledger.allows('openPort', openPort(options));
      if (!port) return;
      await ledger.allows('no frame', port.receive(ANSWER_MS));
      await ledger.call('port ended', ANSWER_MS, port.ended);
      await ledger.allows('no program', openPort({ command: 'there-is-no-such-program', line: true }));
    },
  },
  {
    name: 'servers of programs',
    weight: 5,
    run: async (bench) => {
      const { random, ledger } = bench;
      const dynamic = namedDynamicSupervisor('dynamic');
      const spec = child(Echo, { id: 'echo', restart: 'temporary', args: [heartOf(bench)] });
      const ref = await ledger.allows('startChild', dynamic.startChild(spec));
      if (!ref) return;
      const frame = Buffer.from('frame');
      const calls = Array.from({ length: 5 }, () =>
        ledger.call('call of a port server', ANSWER_MS, ref.within(ANSWER_MS).call('echo', frame)),
      );
      const pid = await ledger.call('pid', ANSWER_MS, ref.within(ANSWER_MS).call('pid'));
      if (pid !== undefined && random.chance(0.4)) signal(pid, 'SIGKILL');
      else if (random.chance(0.3)) ref.exit('kill');
      for (const got of await Promise.all(calls))
        if (got && !got.equals(frame)) ledger.complain('a port server answered with another frame');
      await ledger.allows('terminateChild', dynamic.terminateChild(ref));
    },
  },
  {
    name: 'lasting programs',
    weight: 5,
    run: async ({ random, ledger }) => {
      const binary = named<Program>('cat2').within(ANSWER_MS) as ServerRef<Program>;
      const text = named<Program<string>>('cat-lines').within(ANSWER_MS);
      const said = await ledger.call('request', ANSWER_MS, text.call('request', 'Grüße'));
      if (said !== undefined && said !== 'Grüße') ledger.complain(`cat said ${said}`);
      await ledger.call('request', ANSWER_MS, binary.call('request', Buffer.alloc(100)));
      if (random.chance(0.2)) {
        const pid = await ledger.call('pid', ANSWER_MS, binary.call('pid'));
        if (pid !== undefined) signal(pid, 'SIGKILL');
      }
    },
  },
  {
    name: 'kill -9 of the guard',
    weight: 0.2,
    run: async () => {
      const pid = guardPid();
      if (pid !== undefined) signal(pid, 'SIGKILL');
    },
  },
];
