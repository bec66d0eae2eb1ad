import { run } from 'hearthfw';
import { primes } from './port-worker.ts';

run(async () => {
  const counter = await primes.start({ timeoutMs: 500 });
  console.log(await counter.call('count', 100_000)); // 9592
  const failure = await counter.call('hang').catch((error: Error) => error.message);
  console.log(failure?.replace(/#\d+/, '')); // Primes did not answer 'hang': WorkerError: 'hang' took longer than 500 ms
  process.exit(0);
});
