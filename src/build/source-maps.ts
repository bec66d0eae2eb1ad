import { join } from 'node:path';
import type { Bundle, HearthdBundle } from './bundle/index.ts';
import { writeWhole } from './whole-file.ts';

/** The names of those that `writeMaps` writes. */
export const MAP_FILE = /^(app|hearthd(-[\w-]+)?)\.mjs\.map$/;

/** Source maps stay with the developer, beside what goes into the field: a stack trace from there can then be read. */
export async function writeMaps(
  folder: string,
  { app, hearthd }: { app: Pick<Bundle, 'map'>; hearthd: Pick<HearthdBundle, 'maps'> },
): Promise<void> {
  for (const [name, bytes] of [['app.mjs.map', app.map] as const, ...hearthd.maps])
    await writeWhole(join(folder, name), [bytes]);
}
