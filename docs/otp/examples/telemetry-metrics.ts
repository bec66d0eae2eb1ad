import { telemetry } from 'hearthfw';

const { counter, lastValue, Metrics, sum, summary } = telemetry;

const metrics = new Metrics([
  counter('http.stop', { tags: ['status'] }),
  sum('http.stop', 'bytes'),
  summary('http.stop', 'durationMs'),
  lastValue('otp.mailbox.long', 'waiting', { tags: ['process'] }),
]);

for (let n = 1; n <= 100; n++) {
  telemetry.execute('http.stop', { durationMs: n, bytes: 10 }, { status: n % 50 === 0 ? 500 : 200 });
}
for (const figures of metrics.snapshot()) {
  if (figures.kind === 'counter') console.log(`${figures.tags.status}: ${figures.value}`);
  if (figures.kind === 'sum') console.log(`${figures.name}: ${figures.value}`); // http.stop.bytes: 1000
  if (figures.kind === 'summary') console.log(`${figures.count} values, p99 ${Math.round(figures.p99)} ms`);
}
