import type { Entry } from './record.ts';

/** What a caller asked for, or the answer when it cannot be understood. */
export type Request =
  | { kind: 'add'; entry: Entry }
  | { kind: 'list'; list: string; date: string }
  | { kind: 'refuse'; status: 400 | 404 | 405; message: string; allow?: string };

const MAX_LIST = 100;
const MAX_TITLE = 500;

/** Reads method and URL; everything a caller can get wrong is named in the message. */
export function parseRequest(method: string, url: string): Request {
  const parsed = URL.parse(url, 'http://todo');
  if (!parsed) return bad('the address of the request is not a URL');
  const { pathname, searchParams } = parsed;
  const route = pathname === '/add_entry' ? 'POST' : pathname === '/entries' ? 'GET' : undefined;
  if (route === undefined) {
    return { kind: 'refuse', status: 404, message: 'There is POST /add_entry and GET /entries.' };
  }
  if (method !== route) {
    return { kind: 'refuse', status: 405, message: `${pathname} takes ${route}.`, allow: route };
  }
  const names = route === 'POST' ? ['list', 'date', 'title'] : ['list', 'date'];
  for (const name of new Set(searchParams.keys())) {
    if (!names.includes(name))
      return bad(`unknown parameter '${name}': ${pathname} takes ${names.join(', ')}`);
    if (searchParams.getAll(name).length > 1) return bad(`${name} is given twice`);
  }
  const list = searchParams.get('list') ?? '';
  const date = searchParams.get('date') ?? '';
  const title = searchParams.get('title') ?? '';
  const problem =
    textProblem('list', list, MAX_LIST) ??
    dateProblem(date) ??
    (route === 'POST' ? textProblem('title', title, MAX_TITLE) : undefined);
  if (problem !== undefined) return bad(problem);
  return route === 'POST' ? { kind: 'add', entry: { list, date, title } } : { kind: 'list', list, date };
}

function bad(message: string): Request {
  return { kind: 'refuse', status: 400, message };
}

function textProblem(name: string, value: string, longest: number): string | undefined {
  if (value.trim() === '') return `${name} is missing`;
  if (value.length > longest) return `${name} has ${value.length} characters; at most ${longest} are allowed`;
  if (/\p{Cc}/u.test(value)) return `${name} has a control character`;
  return undefined;
}

function dateProblem(date: string): string | undefined {
  if (date === '') return 'date is missing';
  const parts = /^(\d{4})(\d\d)(\d\d)$/.exec(date);
  if (!parts) return `date must be YYYYMMDD, for example 20170120, and is '${date.slice(0, 20)}'`;
  const iso = `${parts[1]}-${parts[2]}-${parts[3]}`;
  const day = new Date(`${iso}T00:00:00Z`);
  // The 30th of February becomes a day in March, or none.
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(iso)) return `there is no ${iso}`;
  return undefined;
}
