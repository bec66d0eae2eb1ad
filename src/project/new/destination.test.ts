import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkDestination, projectName, similarName } from './destination.ts';

const error = (code: string, rest: object = {}) => expect.objectContaining({ code, ...rest });

describe('where a project goes', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hearth-new-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('is a new folder, or one that holds nothing but a repository', () => {
    expect(checkDestination(join(dir, 'new'))).toBe('missing');
    expect(checkDestination(dir)).toBe('empty');
    mkdirSync(join(dir, '.git'));
    expect(checkDestination(dir)).toBe('empty');
  });

  test('is not where something is; that is named', () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) writeFileSync(join(dir, name), '');
    expect(() => checkDestination(dir)).toThrow(
      error('folder-not-empty', { message: expect.stringContaining('a, b, c, d, e, and 2 more') }),
    );
    expect(() => checkDestination(join(dir, 'a'))).toThrow(error('not-a-folder'));
  });
});

describe('the name', () => {
  test('is that of the folder, or the one that was asked for', () => {
    expect(projectName('/home/me/sensor-2')).toBe('sensor-2');
    expect(projectName('/home/me/My App', 'sensor')).toBe('sensor');
  });

  test.each([
    ['My App', 'my-app'],
    ['Sensor_2', 'sensor-2'],
    ['2nd-sensor', 'nd-sensor'],
    ['Wärmepumpe', 'warmepumpe'],
    ['sensor-', 'sensor'],
    [`a${'-b'.repeat(20)}`, `a${'-b'.repeat(15)}`],
    [`${'x'.repeat(30)}-y`, 'x'.repeat(30)],
    ['hearthfw', 'hearthfw-app'],
    ['typescript', 'typescript-app'],
  ])('that cannot be, such as %s, is refused with one that can: %s', (name, better) => {
    expect(() => projectName(`/home/me/${name}`)).toThrow(
      error('bad-project-name', { remedy: expect.stringContaining(`--name ${better}\``) }),
    );
    expect(projectName('/', better)).toBe(better);
  });

  test('of nothing that could be a name has no suggestion', () => {
    for (const name of ['温度', '---', '42', '']) expect(similarName(name)).toBeUndefined();
    expect(() => projectName('/')).toThrow(
      error('bad-project-name', { remedy: expect.stringMatching(/--name NAME/) }),
    );
  });
});
