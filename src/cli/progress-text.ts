import type { Progress } from '../build/progress.ts';
import { duration, shortBytes } from '../units.ts';

/** Long enough that a download's bursts do not show, short enough that a line which got slower does. */
const WINDOW_MS = 10_000;
/** Less than this says nothing about a rate. */
const MIN_SPAN_MS = 500;

/** How fast a count grows, over the last seconds. Times are handed in, in milliseconds of any steady clock. */
export class Rate {
  #samples: { at: number; done: number }[] = [];

  add(at: number, done: number): void {
    this.#samples.push({ at, done });
    // One sample as old as the window stays: it is where the window begins.
    while ((this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift();
  }

  /** Per second, at a moment that may be later than the last sample: what stands still gets slower. */
  at(now: number): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last) return undefined;
    const span = now - first.at;
    return span < MIN_SPAN_MS ? undefined : (1000 * (last.done - first.done)) / span;
  }
}

/** What of a label must stay readable before figures give way to it. */
const MIN_LABEL = 24;

/** One line, never wider than `width`: what is done, how much of it, how fast, and how long it will take. */
export function progressLine(progress: Progress, rate: number | undefined, width: number): string {
  const figures = figuresOf(progress.bytes, rate);
  const label = progress.detail ? `${progress.step}: ${progress.detail}` : progress.step;
  const room = (): number => width - 2 - figures.join(', ').length;
  while (figures.length > 0 && room() < Math.min(MIN_LABEL, label.length)) figures.pop();
  if (figures.length === 0) return shortened(label, width);
  return `${shortened(label, room())}  ${figures.join(', ')}`;
}

function figuresOf(bytes: Progress['bytes'], rate: number | undefined): string[] {
  if (!bytes || bytes.total <= 0) return [];
  const { done, total } = bytes;
  const figures = [`${Math.floor((100 * done) / total)} % of ${shortBytes(total)}`];
  if (rate === undefined) return figures;
  figures.push(`${shortBytes(rate)}/s`);
  if (rate > 0) figures.push(`${duration((total - done) / rate)} left`);
  return figures;
}

/** The end of a file's name tells more than its middle; what is being done stands at the beginning. */
function shortened(text: string, width: number): string {
  if (text.length <= width) return text;
  if (width < 2) return text.slice(0, Math.max(0, width));
  const end = Math.floor((width - 1) / 4);
  return `${text.slice(0, width - 1 - end)}…${end > 0 ? text.slice(-end) : ''}`;
}

/** The same where lines stay: a step is told once, when it begins. */
export function plainLine({ step, bytes }: Progress): string {
  return bytes ? `${step} (${shortBytes(bytes.total)})` : step;
}
