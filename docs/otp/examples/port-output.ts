import { PortServer, start } from 'hearthfw';

class Counter extends PortServer<string> {
  #sum = 0;

  override async init(): Promise<void> {
    await this.open({
      command: 'sh',
      args: ['-c', 'echo 1; echo 2; echo 3; echo broken >&2; exit 3'],
      line: true,
    });
  }

  /** Each line is a message. The program waits while this is slow. */
  protected override output(line: string): void {
    this.#sum += Number(line);
    console.log(`${line}, together ${this.#sum}`);
  }
}

const counter = await start(Counter);
const reason = await counter.ended();
if (!(reason instanceof Error)) throw new Error('it was to fail');
console.log(reason.message.replace('\n', '')); // sh ended with status 3; it last said:  broken
