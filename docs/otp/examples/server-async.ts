import { Server, start } from 'hearthfw';

class Printer extends Server {
  /** Holds the mailbox until it is done: the next message waits. */
  async print(text: string): Promise<void> {
    console.log(`${text} …`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    console.log(`${text} is done`);
  }

  /** Is answered later, and lets other messages in meanwhile. */
  warmUp() {
    return this.later(new Promise<string>((resolve) => setTimeout(resolve, 30, 'warm')));
  }
}

const printer = await start(Printer);
const warm = printer.call('warmUp');
printer.cast('print', 'first');
await printer.call('print', 'second');
console.log(await warm); // warm
