import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { seededRandom } from './test-random.ts';
import { diskError, writeWhole, writeWholeFile } from './whole-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-whole-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const MODULE = JSON.stringify(new URL('whole-file.ts', import.meta.url).href);

describe('a file', () => {
  test('appears whole, in a folder that is made', async () => {
    const path = join(dir, 'a', 'b', 'file');
    await writeWhole(path, [Buffer.from('one '), Buffer.from('two')]);
    expect(readFileSync(path, 'utf8')).toBe('one two');
    expect(readdirSync(join(dir, 'a', 'b'))).toEqual(['file']);
  });

  test('has its old content until the new one is complete, and keeps it when that fails', async () => {
    const path = join(dir, 'file');
    writeFileSync(path, 'old');
    const seen: string[] = [];
    const pieces = async function* () {
      yield Buffer.from('new');
      seen.push(readFileSync(path, 'utf8'));
      throw new Error('the source ended early');
    };
    await expect(writeWhole(path, pieces())).rejects.toThrow('the source ended early');
    expect(seen).toEqual(['old']);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(dir)).toEqual(['file']);
  });

  test('hands back what its writer returns', async () => {
    expect(await writeWholeFile(join(dir, 'file'), async () => 42)).toBe(42);
  });
});

describe('what cannot be written is an error that names the file', () => {
  test('a file where a folder is needed', async () => {
    writeFileSync(join(dir, 'blocker'), '');
    const path = join(dir, 'blocker', 'file');
    await expect(writeWhole(path, [])).rejects.toMatchObject({ code: 'not-writable', where: path });
  });

  test('what is no file, such as a device, stays what it is', async () => {
    const path = join(dir, 'pipe');
    execFileSync('mkfifo', [path]);
    await expect(writeWhole(path, [])).rejects.toMatchObject({ code: 'not-a-file', where: path });
    expect(statSync(path).isFIFO()).toBe(true);
    expect(readdirSync(dir)).toEqual(['pipe']);
  });

  test('nor is a link to one replaced, such as those of /dev/disk/by-id and /dev/stdout', async () => {
    const path = join(dir, 'link');
    symlinkSync('/dev/null', path);
    await expect(writeWhole(path, [])).rejects.toMatchObject({ code: 'not-a-file', where: path });
    expect(readlinkSync(path)).toBe('/dev/null');
  });

  test('a link to a file stays one, and leads to what was written; one to nothing gives way', async () => {
    mkdirSync(join(dir, 'elsewhere'));
    writeFileSync(join(dir, 'elsewhere', 'old'), 'old');
    const path = join(dir, 'link');
    symlinkSync('elsewhere/old', path);
    await writeWhole(path, [Buffer.from('new')]);
    expect(readlinkSync(path)).toBe('elsewhere/old');
    expect(readFileSync(join(dir, 'elsewhere', 'old'), 'utf8')).toBe('new');
    expect(readdirSync(join(dir, 'elsewhere'))).toEqual(['old']);

    const dangling = join(dir, 'dangling');
    symlinkSync('nothing', dangling);
    await writeWhole(dangling, [Buffer.from('new')]);
    expect(readFileSync(dangling, 'utf8')).toBe('new');
    expect(readdirSync(dir).sort()).toEqual(['dangling', 'elsewhere', 'link']);
  });

  test('a folder under the wanted name, before anything is written', async () => {
    const path = join(dir, 'file');
    mkdirSync(path);
    const write = () => Promise.reject(new Error('was asked to write'));
    await expect(writeWholeFile(path, write)).rejects.toMatchObject({
      code: 'not-a-file',
      message: `${path} is a folder`,
      remedy: expect.stringContaining('in that folder'),
    });
    expect(readdirSync(dir)).toEqual(['file']);
  });

  test('a file larger than the process may write (ulimit -f), and nothing is left of it', async () => {
    const path = join(dir, 'file');
    const code = `
      import { writeWhole } from ${MODULE};
      await writeWhole(process.argv[1], [Buffer.alloc(100_000)]).catch((e) => console.log(JSON.stringify(e)));`;
    // The unit of sh's ulimit is 512 bytes.
    const child = spawn('sh', [
      '-c',
      'ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"',
      process.execPath,
      code,
      path,
    ]);
    let output = '';
    child.stdout.on('data', (bytes) => {
      output += bytes;
    });
    await once(child, 'close');
    expect(JSON.parse(output)).toMatchObject({ code: 'file-too-large', where: path });
    expect(readdirSync(dir)).toEqual([]);
  });

  test.each([
    ['ENOSPC', 'disk-full'],
    ['EDQUOT', 'disk-full'],
    ['EFBIG', 'file-too-large'],
    ['EROFS', 'not-writable'],
    ['EACCES', 'not-writable'],
    ['EIO', 'not-writable'],
  ])('%s is %s', (code, expected) => {
    const error = Object.assign(new Error(`${code}: it did not work, write`), { code, syscall: 'write' });
    const described = diskError(error, '/some/file') as FwError;
    expect(described).toMatchObject({ code: expected, where: '/some/file', cause: error });
    expect(described.message).toContain('/some/file');
    expect(described.remedy).toBeTruthy();
  });

  test('other errors pass as they are', () => {
    const ours = new FwError('agent-refused', 'the agent refused');
    expect(diskError(ours, '/some/file')).toBe(ours);
    const bug = new TypeError('x is not a function');
    expect(diskError(bug, '/some/file')).toBe(bug);
  });
});

describe('signals', () => {
  // Writes, says so, and then waits for ever: what is killed is always in the middle of a file.
  const WRITER = `
    import { writeWholeFile } from ${MODULE};
    setInterval(() => {}, 1000);
    for (const name of ['one', 'two'])
      writeWholeFile(process.argv[1] + '/' + name, async (file) => {
        await file.write('part of it');
        process.stdout.write(name + ';');
        await new Promise(() => {});
      });`;

  async function interrupted(signal: NodeJS.Signals): Promise<unknown[]> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    let said = '';
    for await (const bytes of child.stdout) {
      said += bytes;
      if (said.split(';').length === 3) break;
    }
    expect(readdirSync(dir)).toHaveLength(2);
    child.kill(signal);
    return ended;
  }

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends the process and leaves no part of a file',
    async (signal) => {
      expect(await interrupted(signal)).toEqual([null, signal]);
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  test('SIGKILL leaves parts, under names that nothing reads', async () => {
    await interrupted('SIGKILL');
    expect(readdirSync(dir).filter((name) => !/^(one|two)\.part-/.test(name))).toEqual([]);
    expect(existsSync(join(dir, 'one'))).toBe(false);
  });

  test('end a process that has nothing to remove, and leave it to whoever listens too', async () => {
    const code = (listener: string): string => `
      import { writeWhole } from ${MODULE};
      await writeWhole(process.argv[1] + '/file', []);
      ${listener}
      setInterval(() => {}, 1000);
      process.stdout.write('.');`;
    const ends = async (listener: string): Promise<unknown> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code(listener), dir]);
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      child.kill('SIGTERM');
      return ended;
    };
    expect(await ends('')).toEqual([null, 'SIGTERM']);
    expect(await ends("process.on('SIGTERM', () => process.exit(7));")).toEqual([7, null]);
  });

  // What it writes is done in no time: the signals come at every point of it, and between two files.
  const BUSY = `
    import { writeWhole } from ${MODULE};
    process.stdout.write('.');
    for (let i = 0; ; i++) await writeWhole(process.argv[1] + '/' + (i % 7), [Buffer.alloc(i % 5000)]);`;

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s at any moment is heeded and leaves no part',
    async (signal) => {
      const random = seededRandom(`whole file, ${signal}`);
      for (let round = 0; round < 8; round++) {
        const child = spawn(process.execPath, ['--input-type=module', '-e', BUSY, dir], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        const ended = once(child, 'close');
        let complaints = '';
        child.stderr.on('data', (text) => {
          complaints += text;
        });
        await once(child.stdout, 'data');
        await delay(random() * 40);
        child.kill(signal);
        expect([...(await ended), complaints]).toEqual([null, signal, '']);
        expect(readdirSync(dir).filter((name) => name.includes('part'))).toEqual([]);
      }
    },
  );
});
