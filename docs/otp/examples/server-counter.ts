import { Server, start } from 'hearthfw';

class Counter extends Server {
  #count = 0;

  override init(first: number): void {
    this.#count = first;
  }

  add(by: number): number {
    this.#count += by;
    return this.#count;
  }
}

const counter = await start(Counter, { args: [5] });
console.log(await counter.call('add', 2)); // 7
counter.cast('add', 10);
console.log(await counter.call('add', 0)); // 17
