// Makes dist/: what the npm package holds. It has the shape of the checkout, with .js in the place of .ts, because Node
// strips no types under node_modules; so every path between rooms is the same in both. `npm pack` runs it.
import { execFileSync } from 'node:child_process';
import { chmod, cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

/** What the compiled code reads beside itself. */
const DATA = [
  'bin/*.{js,json}',
  'targets/*/lock.json',
  'firmware/heart/prebuilt/**',
  'firmware/release/**',
  'firmware/rootfs/**',
  'firmware/tryboot/**',
  'src/project/new/template/**',
];
const PROGRAMS = /^bin\/fw\.js$|\/prebuilt\/.*\/heart$/;

await rm(DIST, { recursive: true, force: true });
const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'scripts', 'tsconfig.dist.json')], {
  stdio: 'inherit',
});

for await (const entry of glob(DATA, { cwd: ROOT, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const source = join(entry.parentPath, entry.name);
  const path = source.slice(ROOT.length + 1);
  await mkdir(dirname(join(DIST, path)), { recursive: true });
  await cp(source, join(DIST, path));
  // Modes must not come from the umask of whoever cloned.
  await chmod(join(DIST, path), PROGRAMS.test(path) ? 0o755 : 0o644);
}

const { name, version, license, type, dependencies } = JSON.parse(
  await readFile(join(ROOT, 'package.json'), 'utf8'),
) as Record<string, unknown>;
await writeFile(
  join(DIST, 'package.json'),
  `${JSON.stringify({ name, version, license, type, dependencies }, null, 2)}\n`,
);
