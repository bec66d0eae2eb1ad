import { resolve } from 'node:path';
import { cacheDir } from '../../../bin/pinned-node.js';
import { Cache } from '../../build/cache.ts';
import { type LoadedTarget, loadTarget, targetNames } from '../../build/targets.ts';
import { FwError } from '../../errors.ts';
import type { Project } from '../../project/load.ts';
import type { Guest } from '../qemu/accel.ts';
import { bareMachine } from '../qemu/args.ts';
import type { QemuBinary } from '../qemu/find.ts';
import type { UefiArch } from '../qemu/uefi.ts';
import { checkAcceleration } from './acceleration.ts';
import { checkClock } from './clock.ts';
import { checkEmulators } from './emulator.ts';
import { type Finding, problemOf } from './finding.ts';
import { checkCache, checkSpace } from './folders.ts';
import { type Host, thisHost } from './host.ts';
import { checkNode } from './node.ts';
import { checkNpm } from './npm.ts';
import { checkKeyFiles, checkProject, checkSigner } from './project.ts';
import { checkSsh } from './ssh.ts';
import { checkSystem } from './systems.ts';

export type { Finding } from './finding.ts';

export interface DoctorOptions {
  /** The project's folder. */
  app: string;
  /** Also ask registries and mirrors whether they answer. Without it nothing leaves the machine. */
  online?: boolean;
}

/** Looks at everything that building and running firmware needs. Downloads nothing and changes nothing. */
export async function examine({ app, online = false }: DoctorOptions): Promise<Finding[]> {
  const host = await thisHost();
  const dir = cacheDir();
  const cache = new Cache(dir, { readOnly: true });
  const { finding: projectFinding, project } = await checkProject(app);
  const { targets, unknown } = await loadTargets(project);

  const systems: Finding[] = [];
  let missing = 0;
  for (const target of targets) {
    const found = await checkSystem(host, target, cache, {
      online,
      ...(project ? { projectDir: project.dir } : {}),
    });
    systems.push(found.finding);
    if (found.missing) missing++;
  }
  const emulators = await checkEmulators(
    host,
    targets.map(({ target }) => target.emulator),
  );
  const acceleration = await checkAcceleration(host, ownGuest(host, emulators.programs));
  return [
    ...checkNode(host, { cacheDir: dir }),
    await checkNpm(host, missing > 0, online),
    checkClock(
      host,
      Date.now(),
      targets.map(({ lock }) => lock.date),
    ),
    ...(await checkCache(host, dir)),
    ...(await checkSpace(dir, resolve(app), missing)),
    projectFinding,
    ...unknown,
    ...(project ? [await checkSigner(host, project)] : []),
    ...checkKeyFiles(host),
    ...systems,
    ...emulators.findings,
    ...(acceleration ? [acceleration] : []),
    await checkSsh(host),
  ];
}

/** The project's targets; all that there are where there is no project. */
async function loadTargets(
  project: Project | undefined,
): Promise<{ targets: LoadedTarget[]; unknown: Finding[] }> {
  const targets: LoadedTarget[] = [];
  const unknown: Finding[] = [];
  for (const name of project?.config.targets ?? targetNames()) {
    try {
      targets.push(await loadTarget(name));
    } catch (error) {
      if (!(error instanceof FwError)) throw error;
      unknown.push(problemOf(error, 'target', 'fw build'));
    }
  }
  return { targets, unknown };
}

/** A guest of this machine's own kind, if one of the targets is emulated by such. */
function ownGuest(host: Host, programs: ReadonlyMap<UefiArch, QemuBinary>): Guest | undefined {
  const [arch, kind, machine] =
    host.arch === 'arm64' ? (['arm64', 'aarch64', 'virt'] as const) : (['x64', 'x86_64', 'q35'] as const);
  const qemu = programs.get(kind)?.path;
  return qemu ? { qemu, arch, machine: bareMachine(machine, 'kvm') } : undefined;
}
