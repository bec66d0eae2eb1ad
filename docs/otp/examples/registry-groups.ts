import { GroupChange, Groups, Server, start } from 'hearthfw';

const lamps = new Groups<string, Lamp>();

class Lamp extends Server {
  #on = false;
  override init(room: string) {
    lamps.join(room);
  }
  switch(on: boolean) {
    this.#on = on;
  }
  isOn(): boolean {
    return this.#on;
  }
}

class Panel extends Server {
  override init() {
    lamps.monitor('hall');
  }
  override info(message: unknown) {
    if (message instanceof GroupChange) console.log(`${message.type} ${message.group}`);
  }
}

await start(Panel);
const [first] = [await start(Lamp, { args: ['hall'] }), await start(Lamp, { args: ['hall'] })];
lamps.cast('hall', 'switch', true);
const replies = await lamps.call('hall', 'isOn');
console.log(replies.map((reply) => reply.status === 'fulfilled' && reply.value)); // [ true, true ]

first.exit('kill');
console.log(lamps.members('hall').length); // 1
