import { type Backend, type Formatter, logger, logging } from 'hearthfw';

const received: string[] = [];
let open = false;
let resume = (): void => {};
/** Something slow: it says `false` when it takes no more, and calls `ready` when it does again. */
const uplink: Backend = {
  write(line) {
    received.push(line.trimEnd());
    return open;
  },
  onReady(ready) {
    resume = ready;
  },
};
const short: Formatter = ({ level, message }) => `${level[0]} ${message}\n`;
logging.addBackend('uplink', uplink, { format: short, limit: 2 });

logger.info('one');
logger.info('two');
logger.warning('three');
logger.error('four');
open = true;
resume();

console.log(received.join(', ')); // i one, w three, e four, w 1 log records were dropped: too many at once
