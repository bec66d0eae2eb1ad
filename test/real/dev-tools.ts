/** A debugger of Node, as Chrome's is one: the Chrome DevTools Protocol over a WebSocket. */
import { once } from 'node:events';

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
}

export class DevTools {
  readonly url: string;
  readonly #socket: WebSocket;
  readonly #seen: Message[] = [];
  readonly #waiting = new Set<() => void>();
  #id = 0;

  private constructor(url: string) {
    this.url = url;
    this.#socket = new WebSocket(url);
    this.#socket.addEventListener('message', ({ data }) => {
      this.#seen.push(JSON.parse(String(data)) as Message);
      for (const look of this.#waiting) look();
    });
  }

  /** To the first of what the inspector there offers. */
  static async connect(inspector: string): Promise<DevTools> {
    const list = await fetch(`${inspector}/json/list`);
    const [target] = (await list.json()) as { webSocketDebuggerUrl: string }[];
    if (!target) throw new Error('there is nothing to debug');
    const tools = new DevTools(target.webSocketDebuggerUrl);
    await once(tools.#socket, 'open');
    return tools;
  }

  async send(method: string): Promise<unknown> {
    const id = ++this.#id;
    this.#socket.send(JSON.stringify({ id, method }));
    return (await this.#message((message) => message.id === id)).result;
  }

  /** The first that is so, also of those that have come already. */
  async event(
    method: string,
    is: (params: Record<string, unknown>) => boolean = () => true,
  ): Promise<Record<string, unknown>> {
    const { params = {} } = await this.#message(
      (message) => message.method === method && is(message.params ?? {}),
    );
    return params;
  }

  close(): void {
    this.#socket.close();
  }

  #message(is: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#seen.find(is);
        if (!found) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
