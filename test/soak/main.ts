// The long campaign: scripts/soak [SECONDS] [SEED].
import { campaign } from './campaign.ts';
import { figures } from './figures.ts';
import { verdicts } from './verdicts.ts';

const seconds = Number(process.argv[2] ?? 1_800);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 32));
const sabotage = (process.env.SOAK_SABOTAGE ?? '').split(',').filter((name) => name !== '');
if (!(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.error('usage: scripts/soak [SECONDS] [SEED]');
  process.exit(2);
}
console.log(`soak: ${seconds} s, seed ${seed}, Node ${process.version}`);
const rounds = Math.max(6, Math.min(60, seconds / 5));
let lastLineAt = -Infinity;
const findings = await campaign({
  ...{ seed, seconds, sabotage },
  roundSeconds: seconds / rounds,
  victimSeconds: Math.min(30, seconds / 4),
  onSample: ({ atMs, heap, rss, descriptors, children, loopMaxMs }) => {
    if (atMs - lastLineAt < 60_000) return;
    lastLineAt = atMs;
    const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    console.log(
      `${Math.round(atMs / 1_000)} s: heap ${mib(heap)}, resident ${mib(rss)}, ${descriptors} descriptors, ` +
        `${children} programs, loop ${Math.round(loopMaxMs)} ms`,
    );
  },
});
const judged = verdicts(findings);
for (const { promise, kept, found } of judged) console.log(`${kept ? 'ok  ' : 'FAIL'} ${promise}: ${found}`);
for (const line of figures(findings)) console.log(line);
process.exitCode = judged.every(({ kept }) => kept) ? 0 : 1;
