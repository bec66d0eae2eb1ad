import { expect, test } from 'vitest';
import { ModuleLevels, parseLevels, rankOf } from './level.ts';

test('a module takes the level of the nearest above it that has one, and gives it back', () => {
  const levels = new ModuleLevels('info');
  const [all, net, http, network] = ['', 'net', 'net.http', 'network'].map((name) => levels.threshold(name));
  const now = () => [all, net, http, network].map((threshold) => threshold?.lowest);
  levels.set('net', 'debug');
  expect(now()).toEqual(['info', 'debug', 'debug', 'info'].map((level) => rankOf(level as 'info')));
  levels.set('net.http', 'none');
  levels.set('', 'error');
  expect(now()).toEqual([4, 0, 6, 4]);
  levels.reset('net');
  expect(now()).toEqual([4, 4, 6, 4]);
});

test('HEARTH_LOG_LEVEL: one level, modules with their own, and nonsense passed over', () => {
  expect(parseLevels(undefined)).toEqual({ all: 'info', modules: new Map() });
  expect(parseLevels('notice')).toEqual({ all: 'notice', modules: new Map() });
  expect(parseLevels('warning, net=debug,net.http=none,x=loud,,=')).toEqual({
    all: 'warning',
    modules: new Map([
      ['net', 'debug'],
      ['net.http', 'none'],
    ]),
  });
  expect(parseLevels('verbose').all).toBe('info');
});
