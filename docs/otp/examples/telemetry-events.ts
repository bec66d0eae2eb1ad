import { telemetry } from 'hearthfw';

declare module 'hearthfw' {
  interface TelemetryEvents {
    'shop.order': { measurements: { cents: number }; metadata: { country: string } };
  }
}

telemetry.attach('large-orders', 'shop.order', ({ cents }, { country }) => {
  if (cents > 100_000) console.log(`a large order from ${country}`); // a large order from it
});
telemetry.execute('shop.order', { cents: 250_000 }, { country: 'it' });

// All events that begin so, declared or not.
const detach = telemetry.attach('all', 'shop.*', (_, __, event) => console.log(event));
telemetry.execute('shop.closed', { count: 1 });
detach();
console.log(telemetry.listening('shop.closed')); // false
