import { logger, logging, ringBackend } from 'hearthfw';

const ring = ringBackend();
logging.addBackend('ring', ring);

const net = logger.module('net');
const http = net.module('http');
logging.setLevel('net', 'debug');
http.debug('connected', { to: 'a.example' });
logging.setLevel('net.http', 'none');
http.critical('this module is off');
net.debug('what is above it is not');
logging.resetLevel('net');
net.debug('now it is as everything else: info');

const [first, second] = ring.lines().map((line) => line.trimEnd());
console.log(ring.lines().length); // 2
console.log(first); // debug: connected to=a.example module=net.http
console.log(second); // debug: what is above it is not module=net
