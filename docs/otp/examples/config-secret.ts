import { inspect } from 'node:util';
import { defineRuntime, logger, logging, ringBackend, vars } from 'hearthfw';

process.env.API_TOKEN = 'correct horse battery staple';
const { token } = defineRuntime({ token: vars.secret('API_TOKEN') });

const ring = ringBackend();
logging.addBackend('ring', ring);
logger.info('calling', { token });

console.log(ring.lines()[0]?.trimEnd()); // info: calling token=[secret]
console.log(`${token}`, JSON.stringify({ token }), inspect(token)); // [secret] {"token":"[secret]"} [secret]
console.log(token.reveal().length); // 28
