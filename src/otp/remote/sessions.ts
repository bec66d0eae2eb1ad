import { Socket } from 'node:net';
import { remoteConsole } from './console.ts';
import { rpc } from './rpc.ts';
import { type Session, serveSession, type Verb } from './session.ts';

const VERBS: Readonly<Record<string, Verb>> = { rpc, remote: remoteConsole };

/** The sessions of this app: expressions and consoles of people who may do all that the app may. */
export interface Sessions {
  /** Takes over a connection that hearthd has accepted. What is none (the client was gone already) is passed over. */
  accept(connection: unknown): void;
  /** Ends all of them, with a message for their clients. */
  end(message: string): void;
}

export function createSessions(verbs = VERBS): Sessions {
  const open = new Set<Session>();
  return {
    accept(connection) {
      if (!(connection instanceof Socket)) return;
      const session = serveSession(connection, verbs);
      open.add(session);
      void session.ended.then(() => open.delete(session));
    },
    end(message) {
      for (const session of open) session.end(message);
    },
  };
}
