import { defineFirmware } from 'hearthfw/config';

export default defineFirmware({
  name: 'todo',
  version: '1.0.0',
  app: './src/app.ts',
  targets: ['x86_64', 'qemu_arm64', 'rpi3'],
  console: 'shell',
  dev: true,
  config: { port: 5454 },
});
