import type { FirmwareConfig } from './schema.ts';

export type { FirmwareConfig } from './schema.ts';

/** Types the object in fw.config.ts: `export default defineFirmware({ … })`. Checked again when it is loaded. */
export function defineFirmware(config: FirmwareConfig): FirmwareConfig {
  return config;
}
