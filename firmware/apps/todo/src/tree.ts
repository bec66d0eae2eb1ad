import { type ChildSpec, child, type SupervisorRef, supervisor } from 'hearthfw';
import { database } from './database.ts';
import { Lists } from './lists.ts';
import { Web } from './web.ts';

export interface Settings {
  /** TCP port; 0 takes any. */
  port: number;
  /** Where the entries are kept. */
  folder: string;
  /** How long a list stays in memory when nobody asks for it. */
  idleMs: number;
}

/**
 * The whole app. Who needs another comes after it: when the database has to be started anew as a whole, so are the lists, which
 * remember what it had, and the web, which asks them.
 */
export function todo({ port, folder, idleMs }: Settings): ChildSpec<SupervisorRef> {
  const lists = new Lists({ idleMs });
  return supervisor({
    name: 'todo',
    strategy: 'rest_for_one',
    children: [database(folder), lists.supervisor, child(Web, { name: 'web', args: [port, lists] })],
  });
}
