import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const FW = join(import.meta.dirname, '..', 'bin', 'fw.js');
const HELLO = join(import.meta.dirname, '..', 'firmware', 'apps', 'hello');

/** hello, as its developer has it on the bench: a key that opens the device, and a device that is known to ssh as `bench`. */
export class BenchProject {
  readonly dir: string;
  readonly #folder: string;
  #version = '1.0.0';

  private constructor(folder: string) {
    this.#folder = folder;
    this.dir = join(folder, 'apps', 'hello');
  }

  static async create(folder: string): Promise<BenchProject> {
    const project = new BenchProject(folder);
    await cp(HELLO, project.dir, { recursive: true });
    await cp(join(HELLO, '..', 'example-key'), join(folder, 'apps', 'example-key'), { recursive: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', project.#at('login')]);
    const login = (await readFile(project.#at('login.pub'), 'utf8')).trim();
    await project.edit(
      'fw.config.ts',
      "console: 'shell',",
      `console: 'shell',\n  sshKeys: ['${login}'],\n  app: { entry: './src/app.ts', maxRestarts: 1 },\n  update: { healthySeconds: 5 },`,
    );
    await project.edit('fw.config.ts', "  app: './src/app.ts',\n", '');
    return project;
  }

  /** What the developer's ~/.ssh/config says of the device. */
  async knows(port: number): Promise<void> {
    const config = [
      ...['Host bench', 'HostName 127.0.0.1', `Port ${port}`, 'StrictHostKeyChecking accept-new'],
      ...[
        `IdentityFile ${this.#at('login')}`,
        'IdentitiesOnly yes',
        `UserKnownHostsFile ${this.#at('known')}`,
      ],
    ];
    await writeFile(this.#at('ssh_config'), `${config.join('\n')}\n`);
    await mkdir(this.#at('bin'));
    const ssh = execFileSync('which', ['ssh'], { encoding: 'utf8' }).trim();
    // OpenSSH looks for that file in the home of the password file, and nowhere else.
    await writeFile(this.#at('bin/ssh'), `#!/bin/sh\nexec ${ssh} -F ${this.#at('ssh_config')} "$@"\n`);
    await writeFile(this.#at('bin/fw'), `#!/bin/sh\nexec ${process.execPath} ${FW} "$@"\n`);
    for (const name of ['bin/ssh', 'bin/fw']) await chmod(this.#at(name), 0o755);
  }

  async edit(file: string, old: string, fresh: string): Promise<void> {
    const path = join(this.dir, file);
    const text = await readFile(path, 'utf8');
    if (!text.includes(old)) throw new Error(`${file} of hello has no ${old}`);
    await writeFile(path, text.replace(old, fresh));
  }

  async release(version: string): Promise<void> {
    await this.edit('fw.config.ts', `version: '${this.#version}'`, `version: '${version}'`);
    this.#version = version;
  }

  /** Runs a command line in the project as its developer does, and shows what it prints. Gives its status. */
  async run(line: string, show: (line: string) => void): Promise<number | null> {
    const child = spawn('sh', ['-c', line], {
      cwd: this.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${this.#at('bin')}${delimiter}${process.env.PATH}` },
    });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) show(line);
      });
    }
    const [status] = (await once(child, 'close')) as [number | null];
    return status;
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }
}
