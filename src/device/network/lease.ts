/** What `udhcpc.script` writes for an interface after each event: `KEY=VALUE` lines. */
export interface Lease {
  /** udhcpc's word: `bound`, `renew`, `deconfig`, `leasefail`, `nak`. */
  event: string;
  /** IPv4 address with prefix length, e.g. `10.0.2.15/24`; undefined without a lease. */
  address: string | undefined;
  router: string | undefined;
  dns: string[];
}

/** @returns undefined for a file that is not (yet) whole */
export function parseLease(text: string): Lease | undefined {
  const values = new Map(
    text
      .split('\n')
      .map((line) => line.split('='))
      .flatMap(([key, value]) => (key && value !== undefined ? [[key, value] as const] : [])),
  );
  const event = values.get('EVENT');
  if (event === undefined) return undefined;
  return {
    event,
    address: values.get('ADDRESS') || undefined,
    router: values.get('ROUTER') || undefined,
    dns: (values.get('DNS') ?? '').split(' ').filter((server) => server !== ''),
  };
}
