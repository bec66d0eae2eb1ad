import type { Process, Status } from '../process/process.ts';
import { processTable } from '../process/process-table.ts';
import { abandonedProcesses } from '../task/abandoned.ts';

/** One line about a process: plain data, that can be sent anywhere. */
export interface ProcessInfo {
  id: number;
  name: string | undefined;
  /** What it runs: a class' name, mostly. */
  label: string;
  /** Who started it, by id, also when that has ended. */
  parent: number | undefined;
  /** 'abandoned' is a task that has ended, and whose function runs on: it ignores its signal. */
  status: Status | 'abandoned';
  mailboxLength: number;
  /** Messages handled since it was started. */
  handled: number;
  /** Milliseconds in handlers since it was started, without what they do after an `await`. */
  busyMs: number;
  /** The message at work. */
  current: { kind: 'call' | 'cast' | 'info' | 'system'; name: string } | undefined;
  /** Those that it is linked to, by id. */
  links: number[];
}

export interface ProcessTree extends ProcessInfo {
  children: ProcessTree[];
}

/** All processes, in the order of their start; then what has ended, and still runs. */
export function processes(): ProcessInfo[] {
  const abandoned = abandonedProcesses().map((process): ProcessInfo => {
    return { ...describeProcess(process), status: 'abandoned' };
  });
  return [...processTable.values().map(describeProcess), ...abandoned];
}

/** The same, each below who started it; on top those that nobody started, or nobody who lives. */
export function tree(): ProcessTree[] {
  const nodes = new Map<number, ProcessTree>();
  for (const info of processes()) nodes.set(info.id, { ...info, children: [] });
  const tops: ProcessTree[] = [];
  for (const node of nodes.values()) {
    const parent = node.parent === undefined ? undefined : nodes.get(node.parent);
    (parent?.children ?? tops).push(node);
  }
  return tops;
}

export function describeProcess(process: Process): ProcessInfo {
  const { id, name, label, parent, status, mailboxLength, handled, busyMs, handling, links } = process;
  return {
    id,
    name,
    label,
    parent: parent?.id,
    status,
    mailboxLength,
    handled,
    busyMs,
    current: handling && { kind: handling.kind, name: handling.name },
    links: Array.from(links ?? [], (linked) => linked.id),
  };
}
