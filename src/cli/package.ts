import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What this copy of hearthfw says of itself. */
export interface Package {
  version: string;
  /** Where bugs are to be told, when the package says so. */
  bugs: string | undefined;
  /** The folder of the documentation that came along. */
  docs: string | undefined;
}

export function thisPackage(): Package {
  const file = new URL('../../package.json', import.meta.url);
  const { version, bugs } = JSON.parse(readFileSync(file, 'utf8')) as {
    version: string;
    bugs?: string | { url?: string };
  };
  // In a checkout, and beside dist/ in the npm package.
  const docs = ['../../docs/', '../../../docs/']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  return { version, bugs: typeof bugs === 'string' ? bugs : bugs?.url, docs };
}
