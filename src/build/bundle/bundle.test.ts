import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules, SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import type { Project } from '../../project/load.ts';
import { resolveConfig } from '../../project/load.ts';
import { type Bundle, bundleApp, bundleHearthd } from './index.ts';

const HOST = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const OTHER = HOST === 'x86_64' ? 'aarch64' : 'x86_64';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-bundle-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A project of these files, with src/app.ts as its app. */
function project(files: Record<string, string | Uint8Array>, below = '.'): Project {
  const root = join(dir, below);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const configFile = join(root, 'fw.config.ts');
  const config = resolveConfig(
    {
      name: 'bare',
      version: '1.0.0',
      app: 'src/app.ts',
      targets: ['x86_64'],
      updateKeys: [EXAMPLE_PUBLIC_KEY],
    },
    configFile,
  );
  return { dir: root, configFile, config };
}

/** What the bundle prints, run by itself in a folder of its own. */
function run({ code, addons }: Bundle): string {
  const folder = join(dir, 'device');
  mkdirSync(folder);
  writeFileSync(join(folder, 'app.mjs'), code);
  for (const [name, bytes] of addons) writeFileSync(join(folder, name), bytes);
  return execFileSync(process.execPath, [join(folder, 'app.mjs')], { encoding: 'utf8', env: {} });
}

/** What a module sends to whoever has started it, as an app is started. */
async function sent(file: string, options: string[]): Promise<unknown[]> {
  const child = fork(file, { execArgv: ['--no-warnings', ...options], env: {} });
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  await once(child, 'close');
  return messages;
}

async function failure(of: Project): Promise<FwError> {
  const error = await bundleApp(of, HOST).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FwError);
  return error as FwError;
}

describe('an app', () => {
  test('becomes one module that runs without the project', async () => {
    const bundle = await bundleApp(
      project({
        'src/app.ts': "import { greet } from './greet.ts';\nconsole.log(greet('you' as string));\n",
        'src/greet.ts': "export const greet = (who: string): string => 'hello ' + who + ', grüezi';\n",
      }),
      HOST,
    );
    rmSync(join(dir, 'src'), { recursive: true });
    expect(run(bundle)).toBe('hello you, grüezi\n');
  });

  test("loads of Node's own modules what it asks for, when it asks for it", async () => {
    const bundle = await bundleApp(
      project({
        'src/app.ts': `
          import { createServer } from 'node:http';
          import * as path from 'path';
          import fs, { existsSync } from 'node:fs';
          const loaded = (name: string) => process.moduleLoadList.some((each) => each.includes(name));
          console.log(typeof createServer, path.join('a', 'b'), fs.existsSync === existsSync);
          console.log(loaded('undici'), loaded('NativeModule dgram'));
          await import('./later.ts');
          console.log(loaded('NativeModule dgram'));
        `,
        'src/later.ts': "import { createSocket } from 'node:dgram';\nconsole.log(typeof createSocket);\n",
      }),
      HOST,
    );
    expect(run(bundle)).toBe('function a/b true\nfalse false\nfunction\ntrue\n');
  });

  test.each([
    { to: 'any app', options: [], more: '' },
    {
      to: 'one with options',
      options: ['--experimental-vm-modules', '--permission', '--allow-fs-read=*'],
      more: `import { permission } from 'node:process'; import { SourceTextModule } from 'node:vm';
             process.send([typeof permission.has, typeof SourceTextModule]);`,
    },
  ])("offers to $to of Node's own modules what Node itself does", async ({ options, more }) => {
    const names = builtinModules.filter((name) => !name.startsWith('_'));
    const app = project({
      'package.json': '{"type":"module"}',
      'src/app.ts': `
        ${names.map((name, n) => `import * as m${n} from '${name}';`).join('\n')}
        import * as starred from './starred.ts';
        import { send, connected } from 'node:process';
        import * as short from 'fs';
        import * as long from 'node:fs';
        const modules = Object.entries({ starred, ${names.map((name, n) => `'${name}': m${n}`).join(', ')} });
        process.send(modules.flatMap(([name, module]) => {
          const own = process.getBuiltinModule(name) ?? {};
          const defined = Object.entries(module).filter(([, value]) => value !== undefined);
          return defined.map(([key, value]) => [name, key, typeof value, value === own[key]].join(' ')).sort();
        }));
        process.send([typeof send, connected, short === long, eval('typeof module')]);
        ${more}
      `,
      'src/starred.ts': "export * from 'node:fs';\nexport * from 'node:path';\n",
    });
    const file = join(dir, 'bundle.mjs');
    writeFileSync(file, (await bundleApp(app, HOST)).code);
    const native = await sent(join(dir, 'src/app.ts'), options);
    expect(native).toContainEqual(['function', true, true, 'undefined']);
    expect(await sent(file, options)).toEqual(native);
  });

  test("takes packages whose names look like those of Node's modules for packages", async () => {
    // Node's own are node:sqlite and node:test only.
    const names = ['sqlite', 'test', 'constructor'];
    const files = Object.fromEntries(
      names.flatMap((name) => [
        [
          `node_modules/${name}/package.json`,
          `{"name":"${name}","version":"1.0.0","type":"module","main":"m.js"}`,
        ],
        [`node_modules/${name}/m.js`, `export const mine = '${name}';`],
      ]),
    );
    const imports = names.map((name, n) => `import { mine as m${n} } from '${name}';`).join('\n');
    const app = `${imports}\nimport { DatabaseSync } from 'node:sqlite';\nconsole.log(m0, m1, m2, typeof DatabaseSync);\n`;
    const bundle = await bundleApp(project({ 'src/app.ts': app, ...files }), HOST);
    expect(run(bundle)).toBe('sqlite test constructor function\n');
  });

  test("takes a package's own name for one of Node's modules for that module", async () => {
    const app = {
      'src/app.ts': "import { wd, mine } from 'pkg';\nconsole.log(wd, mine);\n",
      'node_modules/pkg/package.json': JSON.stringify({
        ...{ name: 'pkg', version: '1.0.0', type: 'module', main: 'i.js' },
        imports: { '#process': { node: 'process', default: './browser.js' }, '#own': './own.js' },
      }),
      'node_modules/pkg/i.js': `
        import process from '#process';
        export { mine } from '#own';
        export const wd = typeof process.cwd;`,
      'node_modules/pkg/own.js': 'export const mine = 5;',
    };
    const bundle = await bundleApp(project(app), HOST);
    expect(run(bundle)).toBe('function 5\n');
    // As an import its standard input would be opened before the first line of the app.
    const code = Buffer.from(bundle.code).toString();
    expect(code.match(/^import .*/gm)).toEqual([expect.stringContaining('createRequire')]);
  });

  test("has in a named import of Node's what was there at the first import of that module, for good", async () => {
    const bundle = await bundleApp(
      project({
        'src/app.ts': `
          import './patch.cjs';
          import fs, { existsSync, statSync } from 'node:fs';
          import { syncBuiltinESMExports } from 'node:module';
          fs.statSync = () => 'later';
          syncBuiltinESMExports();
          console.log(existsSync('/'), statSync('/').isDirectory(), fs.statSync('/'));
        `,
        'src/patch.cjs': "require('node:fs').existsSync = () => 'before';",
      }),
      HOST,
    );
    expect(run(bundle)).toBe('before true later\n');
  });

  test('evaluates a module of the device before all else', async () => {
    const first = join(dir, 'first.mjs');
    writeFileSync(first, "console.log('first');\n");
    const files = {
      'src/app.ts': "#!/usr/bin/env node\nimport './a.ts';\n",
      'src/a.ts': "console.log('app');\n",
    };
    expect(run(await bundleApp(project(files), HOST, { first }))).toBe('first\napp\n');
  });

  test('may use CommonJS packages, with all that CommonJS has', async () => {
    const bundle = await bundleApp(
      project({
        'src/app.ts': "import old from 'old';\nconsole.log(JSON.stringify(old));\n",
        'node_modules/old/package.json': '{"name":"old","version":"1.0.0","main":"lib/main.js"}',
        'node_modules/old/lib/main.js': `
          const path = require('path');
          const load = (name) => require(name);
          exports.part = require('./part');
          exports.dynamic = typeof load('node:os').hostname;
          exports.file = path.basename(__filename);
          exports.folder = path.basename(__dirname);`,
        'node_modules/old/lib/part.js': 'module.exports = 5;',
      }),
      HOST,
    );
    expect(JSON.parse(run(bundle))).toEqual({
      part: 5,
      dynamic: 'function',
      file: 'app.mjs',
      folder: 'device',
    });
  });

  test('may declare require, __filename and __dirname itself, as ES modules do', async () => {
    const bundle = await bundleApp(
      project({
        'src/app.ts': `
          import { createRequire } from 'node:module';
          import { dirname, basename } from 'node:path';
          import { fileURLToPath } from 'node:url';
          const require = createRequire(import.meta.url);
          const __filename = fileURLToPath(import.meta.url);
          const __dirname = dirname(__filename);
          console.log(basename(__filename), basename(__dirname), typeof require('node:fs').read);`,
      }),
      HOST,
    );
    expect(run(bundle)).toBe('app.mjs device function\n');
  });

  test('gets the library of the toolkit that builds it, installed in the project or not', async () => {
    const app = {
      'src/app.ts': "import { run } from 'hearthfw';\nconsole.log(typeof run, 'mark' in run);\n",
      'node_modules/hearthfw/package.json': '{"name":"hearthfw","main":"index.js"}',
      'node_modules/hearthfw/index.js': 'exports.run = Object.assign(() => {}, { mark: 1 });',
    };
    expect(run(await bundleApp(project(app), HOST))).toBe('function false\n');
  });

  test('B2: has the same bytes wherever its project lies, and names no folder of this machine', async () => {
    const files = {
      'src/app.ts':
        "import { run } from 'hearthfw';\nimport old from './old.cjs';\nconsole.log(typeof run, old);\n",
      'src/old.cjs': 'module.exports = __filename.length;',
    };
    const near = await bundleApp(project(files), HOST);
    const far = await bundleApp(project(files, 'a/b/c/d'), HOST);
    expect(Buffer.from(far.code).equals(near.code)).toBe(true);
    const text = Buffer.from(near.code).toString();
    expect(text).not.toContain(dir.slice(1));
    expect(text).not.toContain('../');
  });

  test('has a source map that leads back to the line that was written', async () => {
    const lines = [
      'interface Unused { a: string }',
      'export function fail(): never {',
      "  throw new Error('here');",
      '}',
    ];
    const bundle = await bundleApp(
      project({
        'src/app.ts': "import { fail } from './deep/fail.ts';\nfail();\n",
        'src/deep/fail.ts': `${lines.join('\n')}\n`,
      }),
      HOST,
    );
    const code = Buffer.from(bundle.code).toString().split('\n');
    const line = code.findIndex((text) => text.includes('new Error("here")'));
    const column = code[line]?.indexOf('new Error') ?? -1;
    const map = JSON.parse(Buffer.from(bundle.map).toString());
    const origin = new SourceMap(map).findEntry(line, column);
    expect(origin).toMatchObject({ originalSource: 'src/deep/fail.ts', originalLine: 2, originalColumn: 8 });
    expect(map.sourcesContent).toContain(`${lines.join('\n')}\n`);
    expect(Buffer.from(bundle.code).toString()).not.toContain('sourceMappingURL');
  });
});

describe('a mistake in an app names file, line and remedy', () => {
  test('a package that is not installed', async () => {
    const error = await failure(project({ 'src/app.ts': "\nimport x from 'not-installed';\nx();\n" }));
    expect(error).toMatchObject({ code: 'app-bundle', where: 'src/app.ts:2:15' });
    expect(error.message).toContain('not-installed');
    expect(error.remedy).toContain('npm install');
  });

  test('a syntax error', async () => {
    const error = await failure(
      project({ 'src/app.ts': "import './broken.ts';\n", 'src/broken.ts': 'const a = 1;\nconst b = ;\n' }),
    );
    expect(error).toMatchObject({ code: 'app-bundle', where: 'src/broken.ts:2:11' });
    expect(error.message).toContain('const b = ;');
  });

  test('several of them: all are told', async () => {
    const error = await failure(project({ 'src/app.ts': "import 'one';\nimport 'two';\n" }));
    expect(error.message).toMatch(/app\.ts:1:8.*one.*app\.ts:2:8.*two/s);
  });

  test('a part of the toolkit that is not for apps', async () => {
    const error = await failure(project({ 'src/app.ts': "import 'hearthfw/device/main';\n" }));
    expect(error).toMatchObject({ code: 'app-bundle', where: expect.stringContaining('src/app.ts') });
    expect(error.message).toContain('hearthfw/device/main');
  });
});

describe('native addons', () => {
  /** A real addon that exports a number, by the C compiler of this machine. */
  function addon(value: number): Buffer {
    const source = join(dir, `addon${value}.c`);
    const output = join(dir, `addon${value}.so`);
    writeFileSync(
      source,
      `int napi_create_int32(void *env, int value, void **result);
       void *napi_register_module_v1(void *env, void *exports) {
         void *number = 0;
         napi_create_int32(env, ${value}, &number);
         return number;
       }`,
    );
    execFileSync('gcc', ['-shared', '-fPIC', '-o', output, source]);
    return execFileSync('cat', [output]);
  }

  test('travel beside the bundle and load there, also two of one name', async () => {
    const bundle = await bundleApp(
      project({
        'src/app.ts': "import one from 'one';\nimport two from 'two';\nconsole.log(one, two);\n",
        'node_modules/one/index.js': "module.exports = require('./build/binding.node');",
        'node_modules/one/build/binding.node': addon(41),
        'node_modules/two/index.js': "module.exports = require('./build/binding.node');",
        'node_modules/two/build/binding.node': addon(42),
      }),
      HOST,
    );
    expect([...bundle.addons.keys()]).toEqual([
      expect.stringMatching(/^binding-[0-9a-f]{8}\.node$/),
      expect.stringMatching(/^binding-[0-9a-f]{8}\.node$/),
    ]);
    expect(Buffer.from(bundle.code).toString()).not.toContain(dir);
    rmSync(join(dir, 'node_modules'), { recursive: true });
    expect(run(bundle)).toBe('41 42\n');
  });

  test.each([
    ['for another machine', () => addon(1), HOST],
    ['that are no ELF files', () => Buffer.from('MZ not for Linux'), 'no machine that is known'],
  ])('B3: %s are refused by name', async (_name, bytes, said) => {
    const wrong = project({
      'src/app.ts': "import './lib/sensor.node';\n",
      'src/lib/sensor.node': bytes(),
    });
    await expect(bundleApp(wrong, OTHER)).rejects.toMatchObject({
      code: 'addon-wrong-arch',
      where: join(dir, 'src/lib/sensor.node'),
      message: expect.stringContaining(`is for ${said}`),
      expected: expect.stringContaining(OTHER),
      remedy: expect.stringContaining(OTHER === 'aarch64' ? 'linux arm64' : 'linux x64'),
    });
  });

  test('that are not there are told as any missing module is', async () => {
    const error = await failure(project({ 'src/app.ts': "import './gone.node';\n" }));
    expect(error).toMatchObject({ code: 'app-bundle', where: 'src/app.ts:1:8' });
    expect(error.message).toContain('./gone.node');
  });
});

test('hearthd bundles, parses, and has source maps', async () => {
  const { files, maps } = await bundleHearthd();
  for (const [name, code] of files) {
    writeFileSync(join(dir, name), code);
    execFileSync(process.execPath, ['--check', join(dir, name)]);
  }
  expect([...maps.keys()].toSorted()).toEqual([...files.keys()].map((name) => `${name}.map`).toSorted());
  expect(JSON.parse(Buffer.from(maps.get('hearthd.mjs.map') ?? []).toString()).sources).toContain(
    'device/main.ts',
  );
});

test('hearthd loads what it needs when it needs it: a little for its start, then its services, and most of it later', async () => {
  const { files } = await bundleHearthd();
  const named = (part: string): string => {
    const [name, another] = [...files.keys()].filter((file) => file.startsWith(`hearthd-${part}-`));
    if (name === undefined || another !== undefined) throw new Error(`not one file is ${part}`);
    return name;
  };
  /** With the file, and all that is loaded before its first line runs. */
  const withImports = (name: string, all = new Set<string>()): Set<string> => {
    if (all.has(name)) return all;
    all.add(name);
    const code = Buffer.from(files.get(name) ?? []).toString();
    for (const [, imported = ''] of code.matchAll(/\b(?:from|import)"\.\/([^"]+)"/g))
      withImports(imported, all);
    return all;
  };
  const size = (names: Iterable<string>): number =>
    [...names].reduce((sum, name) => sum + (files.get(name)?.length ?? 0), 0);
  const loaded = withImports('hearthd.mjs');
  const start = size(loaded);
  const services = size(withImports(named('services'), loaded)) - start;
  const later = size(withImports(named('later'), loaded)) - services - start;
  expect(loaded).toEqual(new Set(files.keys()));
  expect(start).toBeLessThan(services / 5);
  expect(later).toBeGreaterThan(start + services);
});
