import { Down, Server, type ServerRef, start } from 'hearthfw';

class Job extends Server {}

class Watcher extends Server {
  watch(job: ServerRef<Job>): void {
    this.monitor(job);
  }

  override info(message: unknown): void {
    if (message instanceof Down) console.log(`the job has ended: ${message.reason}`);
  }
}

const job = await start(Job);
const watcher = await start(Watcher);
await watcher.call('watch', job);
job.exit('shutdown');
await new Promise((resolve) => setTimeout(resolve, 5));
console.log(watcher.alive); // true
