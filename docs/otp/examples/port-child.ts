import { named, type Program, port, startSupervisor, supervisor } from 'hearthfw';

const top = await startSupervisor(
  supervisor({
    children: [
      // Frames of bytes, with their length in 4 bytes before them.
      port({ name: 'echo', command: 'cat', packet: 4 }),
      // What it writes is logged; status 0 is its normal end.
      port({ id: 'once', command: 'true', restart: 'transient' }),
    ],
  }),
);
const answer = await named<Program>('echo').call('request', Buffer.from('hello'));
console.log(String(answer)); // hello
await top.stop();
