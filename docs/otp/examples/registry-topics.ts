import { DuplicateRegistry, Server, start } from 'hearthfw';

const topics = new DuplicateRegistry<string, { from: number }, Display>();

class Display extends Server {
  #name = '';

  override init(name: string, from: number) {
    this.#name = name;
    topics.register('celsius', { from });
  }

  show(value: number) {
    console.log(`${this.#name}: ${value}`);
  }
}

const hall = await start(Display, { args: ['hall', 0] });
const alarm = await start(Display, { args: ['alarm', 30] });

for (const value of [21, 35]) {
  topics.dispatch('celsius', ({ ref, value: { from } }) => {
    if (value >= from) ref.cast('show', value);
  });
}
// What was cast before is handled before.
await Promise.all([hall.call('show', 0), alarm.call('show', 100)]);
hall.exit('shutdown');
console.log(topics.count('celsius')); // 1
console.log(topics.keys(alarm)); // [ 'celsius' ]
