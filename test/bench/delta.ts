import { type App, ChangingApp, send } from '../delta.ts';
import { temporaryFolder } from '../firmware.ts';
import type { Figure } from './figure.ts';

const CASES: [App, string][] = [
  ['hello', 'x86_64'],
  ['todo', 'x86_64'],
  ['hello', 'rpi3'],
  ['todo', 'rpi3'],
];

/** What one changed line of an app's source costs on the link, both ways, frames and all. */
export async function benchDelta(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, target] of CASES) {
    await using folder = await temporaryFolder();
    const app = await ChangingApp.copy(name, target, folder.path);
    const before = await app.build('1.0.0');
    await app.changeLine();
    const after = await app.build('1.0.1');
    const figure = (what: string, bytes: number, goal?: string): Figure => ({
      ...{ name: `delta: ${name} for ${target}, ${what}`, value: bytes / 1000, unit: 'kB', runs: 1 },
      ...(goal && { goal }),
    });
    const { toDevice, fromDevice, fileSize } = await send(after, before, folder.path);
    const unknown = await send(after, before, folder.path, false);
    figures.push(
      figure('one line', toDevice + fromDevice, '≤ 64 kB, aim 20'),
      figure('one line, the old firmware not at hand', unknown.toDevice + unknown.fromDevice),
      figure('the whole file', fileSize),
    );
  }
  return figures;
}
