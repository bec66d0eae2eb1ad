import { DuplicateRegistry, Groups, Registry } from '../../src/otp/index.ts';
import type { Subject } from './subject.ts';

/** What lives beside the tree, and must be empty at rest. */
export const registry = new Registry<string, number, Subject>('soak');
export const duplicates = new DuplicateRegistry<string, number, Subject>();
export const groups = new Groups<string, Subject>();

/** Names that come and go. Few, so that they are fought for. */
export const NAMES: readonly string[] = Array.from({ length: 12 }, (_, i) => `passing-${i}`);

/** Whether starts and ends fail at random: not at rest, and not while the tree is made. */
export const trouble = { on: false };
