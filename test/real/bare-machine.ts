import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FwOptions } from './fw.ts';

/**
 * How fw is run on a machine that has nothing but Node: its shared libraries, no shell, no tool, no /proc, /sys, /dev or
 * /etc, no network, and a PATH that holds only node. What works there calls nothing of Linux' own, as far as Linux can
 * show that.
 * @param folders under their own names: those it may write to, and those it may read
 */
export function bareMachine(folders: {
  write: string[];
  read?: string[];
}): Required<Pick<FwOptions, 'env' | 'within'>> {
  const node = dirname(process.execPath);
  const libraries = ['/lib', '/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'];
  return {
    env: { PATH: node },
    within: [
      ...['/usr/bin/bwrap', '--unshare-all', '--die-with-parent', '--tmpfs', '/tmp'],
      ...[...libraries.filter((path) => existsSync(path)), node, ...(folders.read ?? [])].flatMap((path) => [
        ...['--ro-bind', path, path],
      ]),
      ...folders.write.flatMap((path) => ['--bind', path, path]),
      '--',
    ],
  };
}
