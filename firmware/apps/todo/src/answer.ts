import { CallError, logger, OverloadError, Shutdown, SupervisorError, TimeoutError } from 'hearthfw';
import { DiskFullError, ListBusyError } from './errors.ts';
import type { Lists } from './lists.ts';
import { parseRequest } from './request.ts';

export interface Answer {
  status: number;
  text: string;
  headers?: Record<string, string>;
}

/** How long an answer may take: a worn card can take seconds for an fsync. */
const ANSWER_MS = 10_000;

/** Answers a request, whatever becomes of it. */
export async function answer(lists: Lists, method: string, url: string): Promise<Answer> {
  try {
    const asked = parseRequest(method, url);
    switch (asked.kind) {
      case 'refuse':
        return {
          status: asked.status,
          text: asked.message,
          ...(asked.allow && { headers: { allow: asked.allow } }),
        };
      case 'list': {
        const titles = await lists.ask(asked.list, (list) =>
          list.within(ANSWER_MS).call('titles', asked.date),
        );
        const day = asked.date.replace(/^(....)(..)(..)$/, '$1-$2-$3');
        return { status: 200, text: titles.map((title) => `${day} ${title}`).join('\n') };
      }
      case 'add': {
        const { list: name, date, title } = asked.entry;
        await lists.ask(name, (list) => list.within(ANSWER_MS).call('add', date, title));
        return { status: 200, text: 'OK' };
      }
    }
  } catch (error) {
    return failure(error);
  }
}

/** What a caller may know of an error, and whether it makes sense to try again. */
export function failure(error: unknown): Answer {
  if (error instanceof DiskFullError) return { status: 507, text: 'The disk is full; nothing was stored.' };
  if (isOverload(error))
    return { status: 503, text: 'There is too much to do; try again.', headers: { 'retry-after': '1' } };
  logger.error('a request failed', { error });
  if (error instanceof TimeoutError)
    return { status: 504, text: 'The disk takes too long; what was added may be stored, or not.' };
  return { status: 500, text: 'The list has failed; what was added may be stored, or not.' };
}

function isOverload(error: unknown): boolean {
  if (error instanceof CallError) return error.reason instanceof Shutdown && error.reason.why === 'overload';
  return error instanceof ListBusyError || error instanceof OverloadError || error instanceof SupervisorError;
}
