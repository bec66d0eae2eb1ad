import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { integrityOf } from '../../src/build/hash.ts';

/** A Debian mirror and an npm registry on this machine, which note what they are asked for. */
export class PackageServer {
  /** Paths, in order. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #files = new Map<string, string | Buffer>();
  readonly #held = new Map<string, PromiseWithResolvers<{ gone: Promise<unknown> }>>();

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<PackageServer> {
    const started = new PackageServer();
    await new Promise<void>((resolve) => started.#server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get #base(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  /** For HEARTH_DEBIAN_MIRROR. */
  get debian(): string {
    return `${this.#base}/debian`;
  }
  /** For npm_config_registry. */
  get npm(): string {
    return `${this.#base}/npm/`;
  }

  serveFile(path: string, file: string): void {
    this.#files.set(path, file);
  }

  /** A package of one version, as registries describe it to npm. */
  publish(name: string, version: string, tarball: Buffer): void {
    const path = `/npm/${name}/-/${name}-${version}.tgz`;
    const dist = { tarball: this.#base + path, integrity: integrityOf(tarball) };
    const packument = {
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { name, version, dist } },
    };
    this.#files.set(path, tarball);
    this.#files.set(`/npm/${name}`, Buffer.from(JSON.stringify(packument)));
  }

  /**
   * From now on what lies at a path is begun and never ended. Resolves when it is asked for, with a promise that resolves when
   * whoever asked has gone.
   */
  hold(path: string): Promise<{ gone: Promise<unknown> }> {
    const held = Promise.withResolvers<{ gone: Promise<unknown> }>();
    this.#held.set(path, held);
    return held.promise;
  }

  /** As on the first day. */
  clear(): void {
    this.asked.length = 0;
    this.#files.clear();
    this.#held.clear();
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
    this.asked.push(url);
    const found = this.#files.get(url);
    const held = this.#held.get(url);
    if (held) {
      response.write('the beginning');
      held.resolve({ gone: once(response, 'close') });
    } else if (typeof found === 'string' && existsSync(found)) createReadStream(found).pipe(response);
    else if (found instanceof Buffer) response.end(found);
    else {
      response.statusCode = 404;
      response.end('{}');
    }
  }
}
