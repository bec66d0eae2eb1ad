import { logger, logging, ringBackend } from 'hearthfw';

const ring = ringBackend(100);
logging.addBackend('ring', ring);

logger.info('serving', { port: 8080 });
logger.debug(() => `only made when the level is on: ${process.hrtime.bigint()}`);
const request = logger.with({ request: 7, user: 'ann' });
request.warning('slow', { ms: 812 });

const [first, second] = ring.lines().map((line) => line.trimEnd());
console.log(first); // info: serving port=8080
console.log(second); // warning: slow request=7 user=ann ms=812
