import { appendFileSync, openSync, writeSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { IRawProperty, Parameters } from 'fast-check';
import { expect, vi } from 'vitest';
import { DONE, type Done, ORDERS, type Orders, type Round, RUNNING } from './report.ts';

/**
 * In a campaign `fc.assert` tries a property with one fresh seed after another, each as often as the test itself says:
 * a seed that fails here is one that CI could have met.
 */
const orders: Orders = JSON.parse(process.env[ORDERS] ?? '{}');
const running = openSync(join(orders.folder, `${RUNNING}${process.pid}`), 'w');
// Taken before a test puts its own clock there.
const now = Date.now;

vi.mock('fast-check', async (original) => {
  const { default: fc } = await original<typeof import('fast-check')>();
  function assert<T>(property: IRawProperty<T>, parameters: Parameters<T> = {}): void | Promise<void> {
    const { seeds, timed, failed } = campaign();
    const run = property.run.bind(property);
    property.run = (value) => timed(() => run(value));
    if (!property.isAsync()) {
      try {
        for (const seed of seeds()) fc.assert(property, { ...parameters, seed });
      } catch (error) {
        throw failed(error);
      }
      return;
    }
    return (async () => {
      try {
        for (const seed of seeds()) await fc.assert(property, { ...parameters, seed });
      } catch (error) {
        throw failed(error);
      }
    })();
  }
  return { default: { ...fc, assert } };
});

function campaign() {
  const { currentTestName = '', testPath = '' } = expect.getState();
  const file = relative(process.cwd(), testPath);
  const done: Done = {
    test: currentTestName,
    file,
    rounds: 0,
    cases: 0,
    cpuMs: 0,
    slowest: { cpuMs: 0, seed: 0 },
  };
  let seed = 0;

  function* seeds(): Generator<number, void> {
    const end = Math.min(now() + orders.eachMs, orders.until);
    try {
      do {
        seed = orders.seed ?? Math.floor(Math.random() * 2 ** 31);
        at({ pid: process.pid, test: currentTestName, file, seed, began: now() });
        yield seed;
        done.rounds++;
      } while (now() < end && orders.seed === undefined);
      ended();
    } finally {
      at(undefined);
    }
  }

  function ended(): void {
    appendFileSync(join(orders.folder, DONE), `${JSON.stringify(done)}\n`);
  }

  function failed(error: unknown): unknown {
    done.failure = `${error instanceof Error ? error.stack : error}`;
    ended();
    return error;
  }

  // The processor's time, not the clock's: the machine may be busy with other things.
  function timed<R>(run: () => R): R {
    const before = process.cpuUsage();
    const counted = (): void => {
      const { user, system } = process.cpuUsage(before);
      const cpuMs = (user + system) / 1000;
      done.cases++;
      done.cpuMs += cpuMs;
      if (cpuMs > done.slowest.cpuMs) done.slowest = { cpuMs, seed };
    };
    const result = run();
    if (result instanceof Promise) return result.finally(counted) as R;
    counted();
    return result;
  }
  return { seeds, timed, failed };
}

function at(round: Round | undefined): void {
  // Padded, not truncated: main.ts never reads it empty.
  writeSync(running, `${JSON.stringify(round ?? null)}`.padEnd(2000), 0);
}
