import { CallError, ReplyError, Server, start, TimeoutError } from 'hearthfw';

class NotFound extends ReplyError {}

class Lists extends Server {
  #lists = new Map([['home', ['milk']]]);

  items(name: string): string[] {
    const list = this.#lists.get(name);
    if (!list) throw new NotFound(`there is no list '${name}'`);
    return list;
  }

  broken(): never {
    throw new Error('out of order');
  }

  silent(): Promise<never> {
    return new Promise(() => undefined);
  }
}

const lists = await start(Lists);

// The caller's mistake: the caller gets the error, the server lives on.
await lists.call('items', 'work').catch((error: unknown) => console.log(error instanceof NotFound)); // true
console.log(lists.alive); // true

// No answer in time; 5,000 ms unless you say otherwise.
await lists
  .within(20)
  .call('silent')
  .catch((error: unknown) => console.log(error instanceof TimeoutError)); // true

// The server's own mistake ends it. Its supervisor starts it anew; who called learns at once what happened.
const other = await start(Lists);
await other.call('broken').catch((error: unknown) => {
  console.log(error instanceof CallError && String(error.cause)); // Error: out of order
});
console.log(other.alive); // false
