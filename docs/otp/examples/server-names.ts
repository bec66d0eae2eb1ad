import { AlreadyStartedError, named, Server, start } from 'hearthfw';

class Clock extends Server {
  now(): string {
    return 'noon';
  }
}

// A name leads to whoever has it at the moment of use: today's process, or the one that a supervisor put in its place.
const clock = named<Clock>('clock');
await clock.call('now').catch((error: unknown) => console.log(String(error))); // CallError: clock did not answer 'now': noproc

const first = await start(Clock, { name: 'clock' });
console.log(await clock.call('now')); // noon
await start(Clock, { name: 'clock' }).catch((error: unknown) => {
  console.log(error instanceof AlreadyStartedError && error.holder === first.find()); // true
});
