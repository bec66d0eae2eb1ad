import { afterEach, expect, test } from 'vitest';
import { ReplyError, StartError } from '../process/errors.ts';
import { processTable } from '../process/process-table.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import { agent, namedAgent, startAgent } from './agent.ts';

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

test('state is read, updated, and both at once', async () => {
  const list = await startAgent(() => ['a']);
  await list.update((names) => [...names, 'b']);
  list.cast((names) => [...names, 'c']);
  expect(await list.get()).toEqual(['a', 'b', 'c']);
  expect(await list.get((names) => names.length)).toBe(3);
  expect(await list.getAndUpdate(([first, ...rest]) => [first, rest])).toBe('a');
  expect(await list.get()).toEqual(['b', 'c']);
  const uses = (): void => {
    // @ts-expect-error the state is a list of strings
    list.cast((names) => [...names, 1]);
    // @ts-expect-error and stays one
    list.getAndUpdate((names) => [names, 1]);
  };
  expect(uses).toBeTypeOf('function');
});

test('updates that await do not interleave', async () => {
  const sum = await startAgent(async () => 0);
  const add = async (value: number): Promise<number> => {
    await new Promise((resolve) => setImmediate(resolve));
    return value + 1;
  };
  await Promise.all(Array.from({ length: 20 }, () => sum.update(add)));
  expect(await sum.getAndUpdate(async (value) => [value, 0] as const)).toBe(20);
  expect(await sum.get()).toBe(0);
});

test('a function that throws ends the agent; a ReplyError does not', async () => {
  const agent = await startAgent(() => 1);
  const refuse = (): never => {
    throw new ReplyError('not today');
  };
  await expect(agent.update(refuse)).rejects.toThrow('not today');
  expect(await agent.get()).toBe(1);
  const fail = (): never => {
    throw new Error('broken');
  };
  await expect(agent.get(fail)).rejects.toThrow('broken');
  expect(agent.alive).toBe(false);
  await expect(startAgent(fail)).rejects.toThrow(StartError);
});

test('a supervised agent begins anew, under its name', async () => {
  const top = await startSupervisor(supervisor({ children: [agent(() => 5, { name: 'five' })] }));
  const five = namedAgent<number>('five');
  await five.update((value) => value + 1);
  five.exit('kill');
  await top.children();
  expect(await five.within(1000).get()).toBe(5);
  await top.stop();
  await expect(five.get()).rejects.toThrow('noproc');
});
