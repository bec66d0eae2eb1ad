import { compressesAsPinned, PINNED_NODE } from '../../../bin/pinned-node.js';
import { type Finding, note, ok, problem } from './finding.ts';
import { type Host, unsupported } from './host.ts';

/** Whether fw runs on a Node whose firmware has the bytes that everybody's has. */
export function checkNode(
  host: Host,
  {
    version = process.versions.node,
    pinned = PINNED_NODE,
    sameCompressors = compressesAsPinned(),
    cacheDir = '',
    execPath = process.execPath,
  } = {},
): Finding[] {
  const strange = unsupported(host);
  const machine = strange ? [problem('machine', 'fw build', strange.text, strange.remedy)] : [];
  if (version === pinned) {
    const where =
      cacheDir && execPath.startsWith(cacheDir) ? ', the pinned one, from the cache' : ', the pinned one';
    return [...machine, ok('Node', `${version}${where}`)];
  }
  if (sameCompressors)
    return [...machine, ok('Node', `${version}, which compresses as the pinned ${pinned} does`)];
  return [
    ...machine,
    note(
      'Node',
      `${version} may compress otherwise than the pinned ${pinned}: firmware may differ from that of others`,
      `Use Node ${pinned}.`,
    ),
  ];
}
