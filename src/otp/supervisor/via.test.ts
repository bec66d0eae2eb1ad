import { expect, test } from 'vitest';
import { AlreadyStartedError } from '../process/names.ts';
import { processTable } from '../process/process-table.ts';
import { Registry } from '../registry/registry.ts';
import { Server } from '../server/server.ts';
import { namedTaskSupervisor, taskSupervisor } from '../task/task-supervisor.ts';
import { child } from './child-spec.ts';
import { dynamicSupervisor, namedDynamicSupervisor } from './dynamic.ts';
import { namedSupervisor, startSupervisor, supervisor } from './supervisor.ts';

class Idle extends Server {}

test('a supervisor has its name in a registry, and is found by it, also after a restart', async () => {
  const rooms = new Registry('rooms');
  const before = processTable.size;
  const top = await startSupervisor(
    supervisor({
      children: [
        supervisor({ id: 'kitchen', via: rooms.key('kitchen'), children: [child(Idle)] }),
        dynamicSupervisor({ id: 'hall', via: rooms.key('hall') }),
        taskSupervisor({ id: 'attic', via: rooms.key('attic') }),
      ],
    }),
  );
  const kitchen = namedSupervisor(rooms.ref('kitchen'));
  expect(await kitchen.count()).toMatchObject({ active: 1 });
  const first = kitchen.process();
  first.kill('killed');
  // The answer comes after the restart.
  expect(await top.count()).toMatchObject({ active: 3 });
  expect(kitchen.process()).not.toBe(first);
  expect((await kitchen.children()).map(({ id }) => id)).toEqual(['Idle']);

  const hall = namedDynamicSupervisor(rooms.ref('hall'));
  await hall.startChild(child(Idle));
  expect(await hall.count()).toMatchObject({ active: 1 });
  const attic = namedTaskSupervisor(rooms.ref('attic'));
  expect(await (await attic.asyncNoLink(() => 7)).await()).toBe(7);
  // Another kind of process has that name.
  expect(namedSupervisor(rooms.ref('hall')).find()).toBeUndefined();

  const twice = startSupervisor(supervisor({ via: rooms.key('kitchen'), children: [child(Idle)] }));
  await expect(twice).rejects.toBeInstanceOf(AlreadyStartedError);
  await top.stop();
  expect(rooms.count()).toBe(0);
  expect(processTable.size).toBe(before);
});
