/** '512 MiB', '2 GiB' -> bytes; undefined when it is neither. */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6}) ?([MG])iB$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * 1024 ** (unit === 'G' ? 3 : 2);
}
