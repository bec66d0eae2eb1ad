import type { Socket } from 'node:net';
import { type Call, serveSession } from '../../otp/remote/session.ts';
import type { Device } from './device.ts';

/** A client that has its answer is gone in a moment; one that stays all the same does not stop a reboot. */
const LEAVES_MS = 2_000;

/** Serves one SSH session that `heart attach` has joined to the control socket: its command line is the argument. */
export function serveSsh(socket: Socket, device: Device): void {
  serveSession(socket, { ssh: (call) => serve(call, device) });
  // It comes paused, for those who hand it on unread.
  socket.resume();
}

async function serve(call: Call, device: Device): Promise<number> {
  const via = 'ssh';
  const last: (() => void)[] = [];
  const context = { via, device, streams: call, afterwards: (work: () => void) => void last.push(work) };
  const { runCommand } = await import('../later.ts');
  const status = await runCommand(call.argv[0] ?? '', context);
  // Whoever got here was let in by Dropbear: the device can be reached, and with it any other firmware can be sent. Said when
  // the verb is done: one that gives the trial up must not find it validated by its own coming.
  device.updates.reached(via);
  if (last.length > 0) {
    const timer = setTimeout(leave, LEAVES_MS);
    call.gone.addEventListener('abort', leave, { once: true });
    function leave(): void {
      clearTimeout(timer);
      for (const work of last.splice(0)) work();
    }
  }
  return status;
}
