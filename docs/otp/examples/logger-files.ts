import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileBackend, jsonFormatter, logger, logging } from 'hearthfw';

const folder = mkdtempSync(join(tmpdir(), 'logs-'));
const path = join(folder, 'app.log');
// On a device: `${device.dataDir}/log/app.log`.
logging.addBackend('file', fileBackend({ path, maxBytes: 256 * 1024, files: 4 }), {
  level: 'notice',
  format: jsonFormatter,
});
logger.info('too little for the file');
logger.error('no answer', { sensor: 'outdoor', cause: new Error('timeout') });
logging.flush();

const record = JSON.parse(readFileSync(path, 'utf8'));
console.log(record.level, record.message, record.fields.sensor); // error no answer outdoor
rmSync(folder, { recursive: true });
