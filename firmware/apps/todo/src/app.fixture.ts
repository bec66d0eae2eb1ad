import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { named, type SupervisorRef, startSupervisor } from 'hearthfw';
import { type Settings, todo } from './tree.ts';
import type { Web } from './web.ts';

export interface Answered {
  status: number;
  text: string;
  headers: Headers;
}

/** The whole app, for a test, on a folder and a port of its own. */
export class TestApp implements AsyncDisposable {
  readonly #tree: SupervisorRef;
  readonly #port: number;

  private constructor(tree: SupervisorRef, port: number) {
    this.#tree = tree;
    this.#port = port;
  }

  static async start(settings: Partial<Settings> & { folder: string }): Promise<TestApp> {
    const tree = await startSupervisor(todo({ port: 0, idleMs: 30_000, ...settings }));
    return new TestApp(tree, await named<Web>('web').call('port'));
  }

  async call(method: string, path: string): Promise<Answered> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, { method });
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  add(list: string, title: string, date = '20170120'): Promise<Answered> {
    const query = new URLSearchParams({ list, date, title });
    return this.call('POST', `/add_entry?${query}`);
  }

  async titles(list: string, date = '20170120'): Promise<string[]> {
    const { text } = await this.call('GET', `/entries?${new URLSearchParams({ list, date })}`);
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice('2017-01-20 '.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tree.stop();
  }
}

export function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'todo-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
