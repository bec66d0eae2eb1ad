import { Server, start, sys } from 'hearthfw';

class Adder extends Server {
  add(a: number, b: number): number {
    return a + b;
  }
}

const adder = await start(Adder);
const trace = sys.trace(adder, { limit: 4 });
await adder.call('add', 1, 2);
adder.cast('add', 3, 4);

for await (const event of trace) {
  if (event.type === 'in') console.log(`${event.kind} ${event.name}(${event.args})`);
  else if (event.type === 'out') console.log(`-> ${event.answer}`);
}
console.log(trace.over); // limit
