import { logger, logging, ringBackend } from 'hearthfw';

const ring = ringBackend();
logging.addBackend('ring', ring);

const cycle: Record<string, unknown> = { big: 2n ** 70n, made: new Map([['at', new Set([1])]]) };
cycle.self = cycle;
const hostile = {
  get temperature(): number {
    throw new Error('no sensor');
  },
};
logger.notice('state', { cycle, hostile });

const [line = ''] = ring.lines();
console.log(line.includes('"big":"1180591620717411303424n","made":{"at":[1]},"self":"[cycle]"')); // true
console.log(line.includes('"temperature":"[threw: no sensor]"')); // true
