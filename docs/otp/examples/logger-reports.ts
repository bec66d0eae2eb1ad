import { logging, ringBackend, run, Server, start } from 'hearthfw';

class Account extends Server {
  pay(amount: number): void {
    if (amount < 0) throw new RangeError('no negative amounts');
  }
}

const ring = ringBackend();
logging.addBackend('ring', ring);

run(async () => {
  const account = await start(Account, { name: 'savings' });
  await account.call('pay', -1).catch(() => {});
  const crash = ring.lines().find((line) => line.includes('crashed')) ?? '';
  console.log(/^error: savings#\d+ crashed: RangeError: no negative amounts/.test(crash)); // true
  console.log(crash.includes('message="call pay" args=[-1]')); // true
  process.exit();
});
