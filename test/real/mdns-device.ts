/** A device, as far as its names in the network go. Its presence is the argument. */
import { currentLinks } from '../../src/device/mdns/interfaces.ts';
import { mdns } from '../../src/device/mdns/server.ts';
import { supervisor } from '../../src/otp/index.ts';
import { supervisedApp } from '../../src/otp/supervisor/supervised-app.ts';

const presence = JSON.parse(process.argv[2] ?? '');
const service = mdns({
  presence: async () => presence,
  links: currentLinks,
  say: (message) => console.log(message),
  turn: Promise.resolve(),
});
const tree = supervisedApp(supervisor({ children: [service] }));
process.once('SIGTERM', () => void tree.stop());
await tree.start();
