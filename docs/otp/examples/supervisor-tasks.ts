import { startSupervisor, Task, taskSupervisor } from 'hearthfw';

const sum = Task.async(() => 40 + 2);
console.log(await sum.await(1_000)); // 42

const slow = Task.async((signal) => new Promise((resolve) => signal.addEventListener('abort', resolve)));
console.log(await slow.yield(10)); // undefined
console.log((await slow.shutdown(1_000))?.ok); // true

const tasks = await startSupervisor(taskSupervisor());
const failing = await tasks.asyncNoLink(() => Promise.reject(new Error('no answer')));
console.log((await failing.yield())?.ok); // false
const squares: unknown[] = [];
for await (const outcome of tasks.asyncStream([1, 2, 3], (n) => n * n, { maxConcurrency: 2 }))
  squares.push(outcome.ok && outcome.value);
console.log(squares); // [ 1, 4, 9 ]
await tasks.stop();
