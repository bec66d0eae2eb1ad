/** A device's names in its network: several devices and Avahi on one bridge, and fw discover beside them. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheDir } from '../../bin/pinned-node.js';
import { type Lan, lan, lanIsPossible, type Program } from './lan.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const DEVICE = join(REPOSITORY, 'test/real/mdns-device.ts');
const FW = join(REPOSITORY, 'bin/fw.js');
const PRESENCE = {
  ...{ hostname: 'hello', serial: '10000000abcd1234', product: 'hello', version: '1.0.0' },
  ...{ uuid: '00000000-0000-4000-8000-000000000001', target: 'rpi4', ssh: true },
};

/** Less than a test has: so that it says what it was waiting for. */
const PATIENCE_MS = 60_000;

/** What a program has said so far, and will. */
class Said {
  readonly lines: string[] = [];
  readonly #heard = new Set<() => void>();
  readonly program: Program;
  #ended = false;

  constructor(program: Program) {
    this.program = program;
    const tell = (): void => {
      for (const each of this.#heard) each();
    };
    for (const stream of [program.stdout, program.stderr])
      createInterface(stream).on('line', (line) => {
        this.lines.push(line);
        tell();
      });
    program.once('close', () => {
      this.#ended = true;
      tell();
    });
  }

  async until(pattern: RegExp): Promise<string> {
    const late = setTimeout(() => this.program.kill(), PATIENCE_MS);
    try {
      return await this.#line(pattern);
    } finally {
      clearTimeout(late);
    }
  }

  async #line(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.lines.find((each) => pattern.test(each));
      if (line !== undefined) return line;
      if (this.#ended) throw new Error(`it has ended without ${pattern}: ${this.lines.join('\n')}`);
      const next = Promise.withResolvers<void>();
      this.#heard.add(next.resolve);
      await next.promise;
      this.#heard.delete(next.resolve);
    }
  }
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-mdns-'));
  writeFileSync(join(folder, 'avahi.sh'), AVAHI);
});
afterAll(() => rmSync(folder, { recursive: true }));

const device = (net: Lan, member: string, presence: Partial<typeof PRESENCE> = {}): Said =>
  new Said(net.start(member, [process.execPath, DEVICE, JSON.stringify({ ...PRESENCE, ...presence })]));

/** A second is plenty on a network without loss; a device that was not in time is asked again by whoever polls. */
async function discover(net: Lan, member: string) {
  const told = await net.run(member, [process.execPath, FW, 'discover', '--json', '--timeout', '1'], {
    HEARTH_CACHE: cacheDir(),
  });
  return (JSON.parse(told) as { devices: { name: string; addresses: string[] }[] }).devices;
}

/** Avahi with a bus of its own. It gives its rights up to a user that this namespace does not have; hence the files. */
const AVAHI = `
set -e
printf 'root:x:0:0::/:\\navahi:x:0:0::/:\\nmessagebus:x:0:0::/:\\n' >"$FOLDER/passwd"
printf 'root:x:0:\\navahi:x:0:\\nmessagebus:x:0:\\nnetdev:x:0:\\n' >"$FOLDER/group"
mount --bind "$FOLDER/passwd" /etc/passwd
mount --bind "$FOLDER/group" /etc/group
cat >"$FOLDER/bus.conf" <<X
<busconfig><listen>unix:path=$FOLDER/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
X
printf '[server]\\nhost-name=%s\\n[publish]\\npublish-workstation=no\\n' "$1" >"$FOLDER/avahi.conf"
coproc BUS { exec setpriv --pdeathsig KILL dbus-daemon --config-file="$FOLDER/bus.conf" --nofork --nopidfile --print-address; }
read -r _ <&"\${BUS[0]}"
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$FOLDER/bus"
exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$FOLDER/avahi.conf"
`;

function avahi(net: Lan, member: string, hostname: string): Said {
  return new Said(net.start(member, ['bash', join(folder, 'avahi.sh'), hostname], { FOLDER: folder }));
}
const asked = (net: Lan, member: string, ...command: string[]): Promise<string> =>
  net.run(member, command, { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${folder}/bus` });

describe.runIf(lanIsPossible)('a device in its network', () => {
  test('is found by Avahi: both names, its address back, its service; keeps its name, and says goodbye', async () => {
    await using net = await lan('one', 'judge');
    const one = device(net, 'one');
    await one.until(/^eth0: hello\.local$/);
    await one.until(/^eth0: hello-1234\.local$/);
    // It wants the name that the device has: so it has to take another.
    const judge = avahi(net, 'judge', 'hello');
    await judge.until(/Server startup complete. Host name is hello-2\.local/);
    expect(one.lines).not.toContain("eth0: hello.local is another device's");
    expect(await asked(net, 'judge', 'avahi-resolve', '-4', '-n', 'hello.local')).toBe(
      'hello.local\t10.5.0.1\n',
    );
    expect(await asked(net, 'judge', 'avahi-resolve', '-6', '-n', 'hello-1234.local')).toMatch(/\tfe80::/);
    expect(await asked(net, 'judge', 'avahi-resolve', '-a', '10.5.0.1')).toBe('10.5.0.1\thello-1234.local\n');
    const found = await asked(net, 'judge', 'avahi-browse', '-rpt', '_hearth._tcp');
    expect(found).toMatch(/^=;eth0;IPv4;hello-1234;_hearth\._tcp;local;hello-1234\.local;[^;]*;22;/m);
    for (const name of ['product', 'version', 'uuid', 'target', 'serial'] as const)
      expect(found).toContain(`"${name}=${PRESENCE[name]}"`);
    const types = await asked(net, 'judge', 'avahi-browse', '-apt', '--no-db-lookup');
    expect(types).toMatch(/;hello-1234;_ssh\._tcp;local/);

    const browse = new Said(
      net.start('judge', ['avahi-browse', '-p', '_hearth._tcp'], {
        DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${folder}/bus`,
      }),
    );
    await browse.until(/^\+;eth0;IPv4;hello-1234;/);
    one.program.kill();
    await browse.until(/^-;eth0;IPv[46];hello-1234;/);
  });

  test('gives way to who had the name before, and is found by the one with its serial', async () => {
    await using net = await lan('one', 'judge');
    await avahi(net, 'judge', 'hello').until(/Host name is hello\.local/);
    const one = device(net, 'one');
    await one.until(/^eth0: hello\.local is another device's$/);
    await one.until(/^eth0: hello-1234\.local$/);
    expect(await asked(net, 'judge', 'avahi-resolve', '-4', '-n', 'hello.local')).toBe(
      'hello.local\t10.5.0.2\n',
    );
    expect(await asked(net, 'judge', 'avahi-resolve', '-4', '-n', 'hello-1234.local')).toContain('10.5.0.1');
  });

  test('two that are switched on at once share no name; fw discover lists both, and what becomes of them', async () => {
    await using net = await lan('one', 'two', 'desk');
    const devices = [device(net, 'one'), device(net, 'two', { serial: 'ABCD-00991234' })] as const;
    const [one, two] = devices;
    const all = (): string[] => devices.flatMap(({ lines }) => lines);
    // Whoever does not get one of them says so.
    await Promise.race([one, two].map((each) => each.until(/hello\.local is another device's/)));
    await Promise.race([one, two].map((each) => each.until(/hello-1234\.local is another device's/)));
    await Promise.race([
      one.until(/hello-10000000abcd1234\.local$/),
      two.until(/hello-abcd00991234\.local$/),
    ]);
    await Promise.race([one, two].map((each) => each.until(/^eth0: hello-1234\.local$/)));
    const held = all().filter((line) => !line.includes('another'));
    expect(new Set(held).size).toBe(held.length);

    const found = async (): Promise<string[]> =>
      (await discover(net, 'desk')).map(({ addresses: [first = ''] }) => first).sort();
    await expect.poll(found, { timeout: 60_000 }).toEqual(['10.5.0.1', '10.5.0.2']);

    // This network has no server for names: what leads to the device is ours.
    const told = await net.run('desk', [process.execPath, FW, 'status', 'hello.local', '--json'], {
      HEARTH_CACHE: cacheDir(),
    });
    expect(JSON.parse(told).error).toMatchObject({
      code: 'ssh-refused',
      where: expect.stringContaining('10.5.0.'),
    });

    // Another address, by a lease: told at once or at the next look, and the old one is forgotten.
    await net.run('one', ['ip', 'addr', 'del', '10.5.0.1/24', 'dev', 'eth0']);
    await net.run('one', ['ip', 'addr', 'add', '10.5.0.101/24', 'dev', 'eth0']);
    await expect.poll(found, { timeout: 60_000 }).toEqual(['10.5.0.101', '10.5.0.2']);
    const gone = once(one.program, 'exit');
    one.program.kill();
    await gone;
    expect(await found()).toEqual(['10.5.0.2']);
  });
});
