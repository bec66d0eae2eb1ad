import { child, namedPool, pool, Server, startSupervisor, supervisor } from 'hearthfw';

class Connection extends Server {
  async query(text: string): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return text.toUpperCase();
  }
}

const top = await startSupervisor(
  supervisor({
    children: [pool({ name: 'db', worker: child(Connection), size: 2, overflow: 1, maxWaiting: 100 })],
  }),
);
const db = namedPool<Connection>('db');
const query = (text: string) => db.run((connection) => connection.call('query', text), { timeoutMs: 1_000 });
console.log((await Promise.all(['a', 'b', 'c', 'd'].map(query))).join()); // A,B,C,D
await top.stop();
