import { Server, start, sys } from 'hearthfw';

class Thermostat extends Server {
  #target = 20;
  set(celsius: number) {
    this.#target = celsius;
  }
  target(): number {
    return this.#target;
  }
  // #private is private for sys too: the class says what its state is.
  override get [sys.state](): number {
    return this.#target;
  }
  override set [sys.state](celsius: number) {
    this.#target = celsius;
  }
}

const thermostat = await start(Thermostat);
console.log(await sys.getState(thermostat)); // 20
await sys.replaceState(thermostat, (celsius) => celsius + 1);
console.log(await thermostat.call('target')); // 21

await sys.suspend(thermostat);
thermostat.cast('set', 5);
console.log(await sys.getState(thermostat)); // 21
const { status, mailboxLength } = await sys.getStatus(thermostat);
console.log(`${status}, ${mailboxLength} waiting`); // suspended, 1 waiting
await sys.resume(thermostat);
console.log(await thermostat.call('target')); // 5
