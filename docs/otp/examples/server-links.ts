import { Exit, Server, type ServerRef, start } from 'hearthfw';

class Connection extends Server {
  drop(): never {
    throw new Error('line cut');
  }
}

class Caller extends Server {
  #connection: ServerRef<Connection> | undefined;

  override async init(): Promise<void> {
    // Without this, the end of a linked process would be the end of this one, for the same reason.
    this.trapExit = true;
    this.#connection = await this.start(Connection);
  }

  override info(message: unknown): void {
    if (message instanceof Exit) console.log(`my connection has ended: ${message.reason}`);
  }

  hangUp(): void {
    this.#connection?.cast('drop');
  }
}

const caller = await start(Caller);
await caller.call('hangUp');
await new Promise((resolve) => setTimeout(resolve, 5));
console.log(caller.alive); // true
