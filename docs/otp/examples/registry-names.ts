import { AlreadyStartedError, Registry, Server, start } from 'hearthfw';

const rooms = new Registry<string, { floor: number }, Room>('rooms');

class Room extends Server {
  #guests: string[] = [];

  enter(guest: string): number {
    this.#guests.push(guest);
    return this.#guests.length;
  }

  /** In a handler the entry is the server's own. */
  moveUp(name: string) {
    rooms.update(name, ({ floor }) => ({ floor: floor + 1 }));
  }
}

const room = await start(Room, { via: rooms.key('kitchen', { floor: 0 }) });
const kitchen = rooms.ref('kitchen');
console.log(await kitchen.call('enter', 'Ada')); // 1

await kitchen.call('moveUp', 'kitchen');
console.log(rooms.lookup('kitchen')?.value.floor); // 1
console.log(rooms.keys(room)); // [ 'kitchen' ]

const taken = await start(Room, { via: rooms.key('kitchen', { floor: 0 }) }).catch((error) => error);
console.log(taken instanceof AlreadyStartedError); // true

room.exit('kill');
console.log(rooms.count()); // 0
await start(Room, { via: rooms.key('kitchen', { floor: 2 }) });
console.log(await kitchen.call('enter', 'Eve')); // 1
