import { child, dynamicSupervisor, Server, startSupervisor } from 'hearthfw';

class Session extends Server {
  #user = '';
  override init(user: string) {
    this.#user = user;
  }
  user(): string {
    return this.#user;
  }
}

const sessions = await startSupervisor(dynamicSupervisor({ maxChildren: 1_000 }));
const ann = await sessions.startChild(child(Session, { args: ['ann'], restart: 'temporary' }));
console.log(await ann?.call('user')); // ann
console.log((await sessions.count()).active); // 1
if (ann) await sessions.terminateChild(ann);
console.log((await sessions.count()).active); // 0
await sessions.stop();
