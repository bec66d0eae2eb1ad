import { agent, namedAgent, startAgent, startSupervisor, supervisor } from 'hearthfw';

const stack = await startAgent(() => ['a', 'b']);
await stack.update((items) => [...items, 'c']);
console.log(await stack.getAndUpdate((items) => [items.at(-1), items.slice(0, -1)])); // c
console.log(await stack.get((items) => items.length)); // 2

// As a child it begins anew after a crash.
const top = await startSupervisor(supervisor({ children: [agent(() => 0, { name: 'visits' })] }));
const visits = namedAgent<number>('visits');
visits.cast((count) => count + 1);
console.log(await visits.get()); // 1
await top.stop();
