import { child, named, Server, startSupervisor, supervisor } from 'hearthfw';

class Store extends Server {
  #values = new Map<string, number>();
  put(key: string, value: number) {
    if (Number.isNaN(value)) throw new Error(`${key} is not a number`);
    this.#values.set(key, value);
  }
  size(): number {
    return this.#values.size;
  }
}
class Api extends Server {
  override init(port: number) {
    console.log(`api on ${port}`); // api on 8080
  }
}

const top = await startSupervisor(
  supervisor({
    strategy: 'rest_for_one',
    maxRestarts: 3,
    maxSeconds: 5,
    children: [child(Store, { name: 'store' }), child(Api, { args: [8080], shutdown: 1_000 })],
  }),
);
const store = named<Store>('store');
await store.call('put', 'celsius', 21);
await store.call('put', 'celsius', Number.NaN).catch((error) => console.log(error.code)); // call-failed
// A new store, and what was started after it, at once.
const children = await top.children();
console.log(children.map(({ id, restarts }) => `${id} ${restarts}`)); // [ 'store 1', 'Api 1' ]
console.log(await store.call('size')); // 0
await top.stop();
