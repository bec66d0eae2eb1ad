import { spawnSync } from 'node:child_process';
import { defineRuntime, vars } from 'hearthfw';

if (process.argv[2] === 'app') {
  defineRuntime({ port: vars.int('HTTP_PORT'), token: vars.secret('API_TOKEN', { minLength: 20 }) });
  console.log('never reached');
} else {
  const { status, stderr } = spawnSync(process.execPath, [process.argv[1] ?? '', 'app'], {
    env: { FW_ENV: 'prod', HTTP_PORT: '80a', API_TOKEN: 'hunter2' },
    encoding: 'utf8',
  });
  console.log(status); // 78
  const [said = '', more] = stderr.trim().replace('the runtime configuration is refused: ', '').split('; ');
  console.log(said); // HTTP_PORT is "80a" and no such value (expected an integer)
  console.log(more); // API_TOKEN is 7 characters long (expected a secret of at least 20 characters)
}
