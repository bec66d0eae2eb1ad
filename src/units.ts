/** Amounts as people read them. Decimal units, as networks and shops have them: 1 MB is 1,000,000 bytes. */

/** 12345678 -> '12.3 MB': for results, where sizes are compared. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** 12345678 -> '12 MB', 1234567 -> '1.2 MB': for what changes while it is read. */
export function shortBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.6 would be written as 1000.
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** 200 -> '3 min 20 s'. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
