import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CONFIG_FILE, loadProject } from '../project/load.ts';
import type { Arch, Target } from './target.ts';
import { loadTarget, targetNames } from './targets.ts';

export interface ListedTarget {
  name: string;
  description: string;
  arch: Arch;
  boots: 'uefi' | 'pi';
  /** Of its lock: what a firmware that is built now has. */
  kernel: string;
  node: string;
  /** When the lock was made, ISO 8601. */
  lockDate: string;
  /** Bytes of a slot. */
  slots: { boot: number; root: number };
  /** Whether the project in the folder is built for it. */
  ofProject: boolean;
}

export interface TargetList {
  targets: ListedTarget[];
  /** The config of the project whose targets are marked, if there is one. */
  project?: string;
}

/** @param app a project's folder; without one, the folder here counts if it is one */
export async function listTargets(app?: string): Promise<TargetList> {
  const folder = resolve(app ?? '.');
  const here = app !== undefined || existsSync(join(folder, CONFIG_FILE));
  const project = here ? await loadProject(folder) : undefined;
  const targets: ListedTarget[] = [];
  for (const name of targetNames()) {
    const { target, lock } = await loadTarget(name);
    targets.push({
      name,
      description: target.description,
      arch: target.arch,
      boots: target.boot.family,
      kernel: lock.kernel,
      node: lock.node.version,
      lockDate: lock.date,
      slots: slotsOf(target),
      ofProject: project?.config.targets.includes(name) ?? false,
    });
  }
  return { targets, ...(project ? { project: project.configFile } : {}) };
}

function slotsOf({ boot, rootSlotSize }: Target): ListedTarget['slots'] {
  return { boot: boot.slotSize, root: rootSlotSize };
}
