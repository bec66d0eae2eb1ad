import { telemetry } from 'hearthfw';

telemetry.attach('queries', 'db.query.*', ({ durationMs }, { table, rows, error }, event) => {
  if (event === 'db.query.stop') console.log(`${table}: ${rows} rows`); // users: 2 rows
  if (durationMs !== undefined && durationMs > 1_000) console.log(`${table} is slow`);
  if (error instanceof Error) console.log(error.message); // no such table
});

const users = await telemetry.span('db.query', { table: 'users' }, async (add) => {
  const rows = await Promise.resolve(['Ada', 'Eve']);
  add({ rows: rows.length });
  return rows;
});
console.log(users); // [ 'Ada', 'Eve' ]

const fails = () =>
  telemetry.span('db.query', { table: 'usr' }, () => Promise.reject(new Error('no such table')));
await fails().catch(() => console.log('the error is passed on')); // the error is passed on
