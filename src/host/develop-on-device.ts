import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Bundle, bundleApp } from '../build/bundle/index.ts';
import { loadTarget } from '../build/targets.ts';
import { FwError } from '../errors.ts';
import { DevSession, type DevEvents as LinkEvents } from '../links/dev.ts';
import type { DeviceLink } from '../links/link.ts';
import { loadProject, type Project } from '../project/load.ts';
import { onEachChange } from './on-each-change.ts';

/** Milliseconds, from the change (the first time: from the connection) to the app that is healthy again, by step. */
export interface LoopTime {
  total: number;
  /** Until the code was made: an editor's writing included. */
  bundle: number;
  /** Until it was on the device, and the app before it had stopped. */
  push: number;
  /** Until the app said that it is healthy. */
  start: number;
}

export interface DevelopOnDeviceEvents extends LinkEvents {
  onConnected(welcome: DevSession['welcome']): void;
  /** The code that was sent last runs, and is healthy. */
  onHealthy(time: LoopTime): void;
  /** The sources cannot be run as they are; what ran before goes on. */
  onBroken(error: FwError): void;
}

export interface DevelopOnDeviceOptions {
  /** The project's folder. */
  dir: string;
  mayAsk?: boolean;
  /** Ends it. */
  signal: AbortSignal;
}

/**
 * Runs a project's app on a device, from its memory and in the place of the firmware's own, and sends it anew whenever a file
 * that it is made of changes. It stays there until the device reboots.
 * @throws FwError when the project cannot be loaded or bundled at the beginning (later that is an event), when the device
 *   refuses, and when it goes away
 */
export async function developOnDevice(
  link: DeviceLink,
  { dir, mayAsk = false, signal }: DevelopOnDeviceOptions,
  events: DevelopOnDeviceEvents,
): Promise<void> {
  const done = new AbortController();
  const lost = new AbortController();
  const stop = AbortSignal.any([signal, lost.signal]);
  /** Of the code that is on its way to be healthy; what was before it may be so until it is pushed. */
  let latest: { since: number; bundle: number; push?: number } | undefined;
  const session = await DevSession.open(
    link,
    { mayAsk, signal: AbortSignal.any([signal, done.signal]) },
    {
      onOutput: events.onOutput,
      onReport: events.onReport,
      onPushed(bytes) {
        events.onPushed(bytes);
        if (latest) latest.push = performance.now() - latest.since - latest.bundle;
      },
      onState(state) {
        events.onState(state);
        if (state.name !== 'healthy' || latest?.push === undefined) return;
        const { since, bundle, push } = latest;
        latest = undefined;
        const total = performance.now() - since;
        events.onHealthy({ total, bundle, push, start: total - bundle - push });
      },
    },
  );
  session.ended.catch((error: unknown) => lost.abort(error));
  try {
    events.onConnected(session.welcome);
    const { arch } = (await loadTarget(session.welcome.target)).target;
    const begun = performance.now();
    await onEachChange(dir, stop, {
      async prepare(seen) {
        const project = await loadProject(dir);
        checkProduct(project, session.welcome.product);
        const bundle = await bundleApp(project, arch, { env: 'dev', seen });
        return { project, bundle };
      },
      async run({ project, bundle }, change) {
        const since = change?.at ?? begun;
        latest = { since, bundle: performance.now() - since };
        const { config } = project.config;
        await session.push(withMap(bundle, project.dir), { addons: [...bundle.addons.keys()], config });
      },
      onBroken(error) {
        // What has ended the session is told once, below or by whoever has ended it.
        if (!stop.aborted) events.onBroken(error);
      },
    });
  } finally {
    done.abort();
  }
  if (lost.signal.aborted) throw lost.signal.reason;
}

function checkProduct({ config }: Project, product: string): void {
  if (config.name === product) return;
  throw new FwError('dev-other-product', `the device is a ${product}, and this project is ${config.name}`, {
    expected: `a device with a firmware of ${config.name}`,
    remedy: 'Is it the right HOST? Is this the right folder (--app DIR)?',
  });
}

/**
 * The code with its source map in it, which names the sources where they are on this computer: stacks can be clicked, and
 * editors set breakpoints in the files that are open.
 */
export function withMap({ code, map }: Pick<Bundle, 'code' | 'map'>, dir: string): Buffer {
  const parsed = JSON.parse(Buffer.from(map).toString()) as { sources: string[] };
  const sources = parsed.sources.map((source) =>
    // What a plugin has made is no file.
    /^[\w-]{2,}:/.test(source) ? source : pathToFileURL(resolve(dir, source)).href,
  );
  const base64 = Buffer.from(JSON.stringify({ ...parsed, sources })).toString('base64');
  return Buffer.concat([code, Buffer.from(`//# sourceMappingURL=data:application/json;base64,${base64}\n`)]);
}
