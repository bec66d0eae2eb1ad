import { crc32 } from 'node:zlib';

export interface Entry {
  list: string;
  /** `YYYYMMDD` */
  date: string;
  title: string;
}

/** One line of the log: the checksum of the JSON as 8 hex digits, a space, the JSON, a newline. */
export function encodeRecord({ list, date, title }: Entry): string {
  const json = JSON.stringify({ list, date, title });
  return `${checksum(json)} ${json}\n`;
}

/** @returns undefined for a line that was not written whole */
export function decodeRecord(line: string): Entry | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(json)) return undefined;
  return JSON.parse(json) as Entry;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
