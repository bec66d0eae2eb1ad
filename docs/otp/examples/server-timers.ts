import { Server, start } from 'hearthfw';

class Blinker extends Server {
  #blinks = 0;

  override init(): void {
    this.sendAfter(5, 'blink');
  }

  override info(message: 'blink'): void {
    if (message !== 'blink') return;
    if (++this.#blinks === 3) this.stop();
    else this.sendAfter(5, 'blink');
  }

  override terminate(): void {
    console.log(`blinked ${this.#blinks} times`);
  }
}

const blinker = await start(Blinker);
console.log(await blinker.ended()); // normal
