import { child, Server, startSupervisor, supervisor, sys } from 'hearthfw';

class Reader extends Server {
  read(): number {
    return 21;
  }
}

const top = await startSupervisor(
  supervisor({
    name: 'app',
    children: [child(Reader, { name: 'indoors' }), child(Reader, { id: 'outdoors' })],
  }),
);
const [indoors] = await top.children();
for (const { name, label, handled, mailboxLength } of sys.processes()) {
  console.log(`${name ?? label}: ${handled} handled, ${mailboxLength} waiting`);
}
const [app] = sys.tree();
console.log(app?.children.map(({ label }) => label)); // [ 'Reader', 'Reader' ]
if (indoors?.ref) console.log(sys.statistics(indoors.ref).handled); // 0
await top.stop();
