import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Lookups, namedLocally, parse, type Settings, settingsOf } from './settings.ts';

const LINES = 'host sensor\nuser me\nhostname sensor.local\nport 22\nproxyjump none\n';

test('the user is the configuration’s only when it is another than who one is here', () => {
  expect(parse(LINES, 'me')).toEqual({
    ...{ user: undefined, hostname: 'sensor.local', proxied: false, hostKeyAlias: undefined },
  });
  expect(parse(LINES, 'you')?.user).toBe('me');
  expect(parse(LINES.replace('proxyjump none', 'proxyjump gateway'), 'me')?.proxied).toBe(true);
  expect(parse(`${LINES}proxycommand nc %h %p\nhostkeyalias it\n`, 'me')).toMatchObject({
    proxied: true,
    hostKeyAlias: 'it',
  });
  expect(parse('', 'me')).toBeUndefined();
});

test('the user’s own ssh is asked: aliases, wildcards and includes count', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-ssh-settings-'));
  try {
    const file = join(folder, 'config');
    writeFileSync(join(folder, 'more'), 'Host kitchen\n  HostName kitchen-1a2b.local\n  User operator\n');
    writeFileSync(file, `Include ${join(folder, 'more')}\nHost *.far\n  ProxyJump gateway\n`);
    const extra = ['-F', file];
    const of = (host: string) => settingsOf({ host, user: undefined, port: undefined }, extra);
    expect(await of('kitchen')).toMatchObject({
      user: 'operator',
      hostname: 'kitchen-1a2b.local',
      proxied: false,
    });
    expect(await of('shed.far')).toMatchObject({ user: undefined, proxied: true });
    expect(
      await settingsOf({ host: 'x', user: undefined, port: undefined }, ['-F', join(folder, 'none')]),
    ).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const settings: Settings = {
  user: undefined,
  hostname: 'sensor.local',
  proxied: false,
  hostKeyAlias: undefined,
};
const never = (): Promise<never> => new Promise(() => {});
const unknown = async (): Promise<never> => {
  throw new Error('ENOTFOUND');
};
const at = (address: string | undefined) => async (): Promise<string | undefined> => address;

test.each<[what: string, lookups: Lookups, options: string[]]>([
  ['a system that knows the name is left to itself', { system: at('10.0.0.1'), multicast: never }, []],
  [
    'a system that does not is helped',
    { system: unknown, multicast: at('10.0.0.1') },
    ['-o', 'HostName=10.0.0.1', '-o', 'HostKeyAlias=sensor.local'],
  ],
  [
    'and so is one that takes its time',
    { system: never, multicast: at('fe80::1%eth0') },
    ['-o', 'HostName=fe80::1%eth0', '-o', 'HostKeyAlias=sensor.local'],
  ],
  ['what nobody knows is for ssh to say', { system: unknown, multicast: at(undefined) }, []],
])('%s', async (_, lookups, options) => {
  expect(await namedLocally(settings, lookups)).toEqual(options);
});

test('other names, and what another computer connects to, are nobody’s business here', async () => {
  const lookups: Lookups = { system: unknown, multicast: at('10.0.0.1') };
  for (const other of [{ hostname: 'sensor' }, { hostname: '10.0.0.7' }, { proxied: true }])
    expect(await namedLocally({ ...settings, ...other }, lookups)).toEqual([]);
  expect(await namedLocally({ ...settings, hostKeyAlias: 'it' }, lookups)).toContain('HostKeyAlias=it');
});
