import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXAMPLE_PUBLIC_KEY } from '../src/archive/index.ts';
import { type BuildResult, buildFirmware } from '../src/build/firmware.ts';
import { loadProject } from '../src/project/load.ts';
import type { FirmwareConfig } from '../src/project/schema.ts';

const APPS = join(import.meta.dirname, '..', 'firmware', 'apps');

/** Builds one of the example apps for a target, into a folder of the test's own. */
export async function buildExample(
  name: 'hello' | 'todo',
  target: string,
  out: string,
): Promise<BuildResult> {
  const project = await loadProject(join(APPS, name));
  return buildFirmware(project, { target, out: join(out, `${name}-${target}.fw`) });
}

/** Builds a firmware from an app's source text and what its configuration says differently from the examples'. */
export async function buildApp(
  source: string,
  target: string,
  out: string,
  config: Partial<FirmwareConfig> = {},
): Promise<BuildResult> {
  const dir = join(out, 'project');
  await mkdir(join(dir, 'src'), { recursive: true });
  await writeFile(join(dir, 'src', 'app.ts'), source);
  const whole: FirmwareConfig = {
    name: 'probe',
    version: '1.0.0',
    app: './src/app.ts',
    targets: [target],
    console: 'shell',
    dev: true,
    // On a busy computer an emulated hearthd is late, which is no hang; and a trial has no second start.
    heart: { beatTimeoutSeconds: 60 },
    updateKeys: [EXAMPLE_PUBLIC_KEY],
    signingKey: join(APPS, 'example-key', 'example_key'),
    ...config,
  };
  await writeFile(join(dir, 'fw.config.ts'), `export default ${JSON.stringify(whole)};\n`);
  return buildFirmware(await loadProject(dir), { target, out: join(out, 'probe.fw') });
}

/** A folder that goes when the scope that holds it ends. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'hearth-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
