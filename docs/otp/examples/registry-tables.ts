import { namedTable, Server, type SetTable, start, TableTransfer, table, tables } from 'hearthfw';

interface Session {
  user: string;
  admin: boolean;
}

class Sessions extends Server {
  #table: SetTable<string, Session> | undefined;

  open(heir: Parameters<SetTable['giveAway']>[0]) {
    this.#table = table({ name: 'sessions', heir });
  }
  add(id: string, session: Session) {
    this.#table?.put(id, session);
  }
  override info(message: unknown) {
    if (message instanceof TableTransfer) this.#table = message.table as SetTable<string, Session>;
  }
}

const [owner, heir] = [await start(Sessions), await start(Sessions)];
await owner.call('open', heir);
await owner.call('add', 'a1', { user: 'Ada', admin: true });

// Everyone reads, without a message to anybody.
const sessions = namedTable<string, Session>('sessions');
console.log(sessions.get('a1')?.user); // Ada

owner.exit('kill');
await heir.call('add', 'b2', { user: 'Eve', admin: false });
console.log(sessions.match({ admin: false }).map(([id]) => id)); // [ 'b2' ]
console.log(tables().map(({ name, rows }) => `${name}: ${rows}`)); // [ 'sessions: 2' ]

heir.exit('kill');
console.log(tables().length); // 0

const hits = table<string, number>({ name: 'hits', access: 'public' });
hits.updateCounter('/home');
console.log(namedTable<string, number>('hits').updateCounter('/home', 5)); // 6
