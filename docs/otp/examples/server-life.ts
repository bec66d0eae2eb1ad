import { type ExitReason, Server, start } from 'hearthfw';

class Session extends Server {
  override async init(user: string): Promise<void> {
    console.log(`hello ${user}`);
    // Before the first message, but after start() has returned.
    this.continueWith(() => this.setTimeout(20));
  }

  /** Nothing came for 20 ms. */
  override timeout(): void {
    this.stop('normal');
  }

  override async terminate(reason: ExitReason): Promise<void> {
    console.log(`goodbye: ${reason}`);
  }
}

const session = await start(Session, { args: ['Ada'], name: 'session' });
console.log(await session.ended()); // normal
