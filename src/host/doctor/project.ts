import { fingerprint, isExampleKey, parsePublicKey } from '../../archive/index.ts';
import { findSigner } from '../../build/signing.ts';
import { FwError } from '../../errors.ts';
import { keyFolder, readKeyFolder } from '../../project/keys/folder.ts';
import { loadProject, type Project } from '../../project/load.ts';
import { shellWord } from '../../shell-words.ts';
import { type Finding, note, ok, problemOf } from './finding.ts';
import type { Host } from './host.ts';

/** The project, where there is one and it is valid. */
export async function checkProject(app: string): Promise<{ finding: Finding; project: Project | undefined }> {
  try {
    const project = await loadProject(app);
    const { name, version, targets } = project.config;
    return { finding: ok('project', `${name} ${version} for ${targets.join(', ')}`), project };
  } catch (error) {
    const finding =
      error instanceof FwError && error.code === 'no-config' && app === '.'
        ? note('project', 'there is none in this folder', 'Name one with --app, or make one: fw new DIR')
        : problemOf(error, 'project', 'fw build');
    return { finding, project: undefined };
  }
}

/** Whether the project's firmware can be signed. */
export async function checkSigner(host: Host, project: Project): Promise<Finding> {
  try {
    const { publicKey, source } = await findSigner(project, host.env);
    const key = parsePublicKey(publicKey);
    if (isExampleKey(key))
      return note(
        'signing key',
        'the public example key: anyone can sign for these devices',
        'Make one of your own before you ship: fw key new NAME',
      );
    return ok('signing key', `${fingerprint(key)} from ${source}`);
  } catch (error) {
    return problemOf(error, 'signing key', 'fw build');
  }
}

/** Keys that others can read, or that cannot be read at all. None is no finding. */
export function checkKeyFiles(host: Host): Finding[] {
  try {
    const { keys, unusable } = readKeyFolder(keyFolder(host.env));
    return [
      ...keys
        .filter(({ tooOpen }) => tooOpen !== undefined)
        .map(({ path, tooOpen }) =>
          note(
            'key files',
            `others can read ${path} (mode ${tooOpen}): it is not used`,
            `chmod 600 ${shellWord(path)}`,
          ),
        ),
      ...unusable.map(({ path, why }) => note('key files', `${path}: ${why.message}`, why.remedy)),
    ];
  } catch (error) {
    return [problemOf(error, 'key files', 'fw build')];
  }
}
