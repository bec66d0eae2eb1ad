import { PortServer, start } from 'hearthfw';

// Any program that answers to lines; here a shell.
const PROGRAM = 'while read what; do echo "$what is 21.5"; done';

class Thermometer extends PortServer<string> {
  override async init(): Promise<void> {
    await this.open({ command: 'sh', args: ['-c', PROGRAM], line: 80 });
  }

  /** Asks and waits: no other message comes in between. */
  async read(what: string): Promise<string | undefined> {
    await this.port.send(what);
    return await this.port.receive(1_000);
  }
}

const thermometer = await start(Thermometer);
console.log(await thermometer.call('read', 'kitchen')); // kitchen is 21.5
thermometer.exit('shutdown');
console.log(await thermometer.ended()); // shutdown
