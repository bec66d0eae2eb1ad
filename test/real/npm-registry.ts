import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** One package of a registry. */
export interface Published {
  name: string;
  version: string;
  tarball: Buffer;
  integrity: string;
}

/** An npm package with these files, as `npm publish` would send it. */
export function publish(
  folder: string,
  name: string,
  version: string,
  files: Record<string, string>,
): Published {
  const work = join(folder, `publish-${name}`);
  mkdirSync(join(work, 'package', 'bin'), { recursive: true });
  writeFileSync(join(work, 'package', 'package.json'), JSON.stringify({ name, version }));
  for (const [path, text] of Object.entries(files)) {
    writeFileSync(join(work, 'package', path), text);
    chmodSync(join(work, 'package', path), 0o755);
  }
  const file = join(work, 'package.tgz');
  execFileSync('tar', ['--format=ustar', '-czf', file, '-C', work, 'package']);
  const tarball = readFileSync(file);
  rmSync(work, { recursive: true });
  return {
    name,
    version,
    tarball,
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  };
}

export interface Registry extends AsyncDisposable {
  url: string;
  /** From now on tarballs are begun and not ended; resolves for each that is asked for with when its client is gone. */
  stall(): Promise<{ gone: Promise<void> }>;
}

/** A registry for npm, on this machine, with these packages. */
export async function startRegistry(packages: Published[]): Promise<Registry> {
  let stalled: PromiseWithResolvers<{ gone: Promise<void> }> | undefined;
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    const found = packages.find(({ name }) => path === name || path === `${name}.tgz`);
    if (!found) response.writeHead(404).end('{"error":"Not found"}');
    else if (path.endsWith('.tgz') && stalled) {
      response.writeHead(200, { 'content-length': found.tarball.length });
      response.write(found.tarball.subarray(0, 10));
      stalled.resolve({ gone: once(response, 'close').then(() => {}) });
    } else if (path.endsWith('.tgz')) response.end(found.tarball);
    else response.end(JSON.stringify(packument(found, `${url}/${found.name}.tgz`)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    stall() {
      stalled = Promise.withResolvers();
      return stalled.promise;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function packument({ name, version, integrity }: Published, tarball: string): object {
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { name, version, dist: { tarball, integrity } } },
  };
}
