import { child, Server, startApplications, supervisor } from 'hearthfw';

class Database extends Server {}
class Web extends Server {}

const all = await startApplications([
  { name: 'web', dependsOn: ['database'], start: supervisor({ children: [child(Web)] }) },
  { name: 'database', start: supervisor({ children: [child(Database)] }), stopTimeoutMs: 10_000 },
]);
console.log(all.names()); // [ 'database', 'web' ]
await all.stop();
