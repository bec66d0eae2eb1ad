import type { Report } from './campaign.ts';

/** A row of the table in docs/reliability.md. */
export function rowOf({ name, title, target, boots, seconds, reason, ok }: Report): string {
  return `| ${name} | ${title} | ${target} | ${boots} | ${seconds} | ${ok ? '' : 'FAILED: '}${reason} |`;
}

export const HEADER =
  '| case | what is wrong | target | boots | s | what the device says |\n| --- | --- | --- | --- | --- | --- |';
