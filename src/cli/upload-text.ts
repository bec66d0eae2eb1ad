import { FwError } from '../errors.ts';
import type { Uploaded } from '../links/upload.ts';
import type { Standing } from '../links/verdict.ts';
import { duration, megabytes, shortBytes } from '../units.ts';
import type { Sent } from '../update/transfer/send.ts';
import type { Output } from './output.ts';
import { trialText } from './status-text.ts';

/** What an upload tells while it goes on. */
export class UploadReport {
  readonly #host: string;
  readonly #out: Output;

  constructor(host: string, out: Output) {
    this.#host = host;
    this.#out = out;
  }

  wanted(bytes: number, fileSize: number): void {
    this.#out.line(`it lacks ${megabytes(bytes)}; the file has ${megabytes(fileSize)}`);
  }

  sent(done: number, total: number): void {
    this.#out.progress({ step: 'sending', bytes: { done, total } });
  }

  readBack(done: number, total: number): void {
    this.#out.progress({ step: 'the device checks what it has written', detail: `${done} of ${total}` });
  }

  rebooting(sent: Sent): void {
    this.#out.line(`${sentText(sent)}; ${this.#host} reboots to try it`);
  }

  standing(standing: Standing | FwError): void {
    if (standing instanceof FwError)
      this.#out.progress({ step: `waiting for ${this.#host}`, detail: standing.message });
    else if (standing.result === 'trial')
      this.#out.progress({ step: 'on trial', detail: trialText(standing).replace('on trial: ', '') });
    else if (standing.result === 'going-down')
      this.#out.progress({ step: `waiting for ${this.#host}`, detail: 'it goes down' });
  }
}

function sentText({ sent, fileSize }: Pick<Sent, 'sent' | 'fileSize'>): string {
  const saved = Math.max(0, 1 - sent / fileSize) * 100;
  return `sent ${shortBytes(sent)} of ${shortBytes(fileSize)}, ${saved.toFixed(saved > 99 ? 1 : 0)} % saved`;
}

/** What has become of it. */
export function uploadedText({
  host,
  product,
  to,
  from,
  seconds,
  verdict,
}: Pick<Uploaded, 'from' | 'seconds' | 'verdict'> & {
  host: string;
  product: string;
  to: { version: string };
}): string {
  const what = `${product} ${to.version}`;
  switch (verdict?.result) {
    case undefined:
      return `${host} tries ${what}, sent in ${duration(seconds)}. What becomes of it: fw status ${host}`;
    case 'validated':
      return `validated: ${host} runs ${what} (${verdict.reason})`;
    case 'reverted':
      return `reverted: ${host} runs ${product} ${from.version} again (${verdict.reason})`;
    case 'undecided':
      return `on trial: ${host} runs ${what}, and is healthy. Make it permanent within ${duration(verdict.secondsLeft)}: fw validate ${host}`;
  }
}
