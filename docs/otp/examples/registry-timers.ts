import { Server, type ServerRef, start, timer } from 'hearthfw';

class Sensor extends Server {
  #readings = 0;

  override init() {
    // Belongs to this process, and runs in it: it may touch its state.
    timer.applyEvery(5, () => this.#read());
    const me: ServerRef<Sensor> = this.self;
    timer.sendAfter(1, me, 'warm');
  }
  override info(message: unknown) {
    console.log(message); // warm
  }
  #read() {
    this.#readings++;
    if (this.#readings === 3) this.stop();
  }
}

const sensor = await start(Sensor);
const never = timer.applyAfter(1_000, () => console.log('too late'));
console.log(never.cancel()); // true
console.log(await sensor.ended()); // normal
