import { defineFirmware } from 'hearthfw/config';

export default defineFirmware({
  name: 'todo',
  version: '1.1.0',
  app: './src/app.ts',
  targets: ['x86_64', 'qemu_arm64', 'rpi3'],
  console: 'shell',
  dev: true,
  // Publicly known: anybody can sign for a device that trusts it. Make your own key for anything of yours.
  updateKeys: [
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNM+vGprIe+aXeWchGBLdxDPwtfIPTFPW5KTMdsBQqQ hearth-example-key everybody-has-it',
  ],
  signingKey: '../example-key/example_key',
  config: { port: 5454 },
});
