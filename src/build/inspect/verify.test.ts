import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFirmware } from '../../archive/index.ts';
import { noise } from '../../archive/test-firmware.ts';
import { encodeInventory, INVENTORY_FILE } from '../inventory/schema.ts';
import { inspectFirmware } from './index.ts';
import { sampleFirmware, sampleInventory, UUID } from './sample.fixture.ts';
import { sbomOf } from './sbom.ts';
import { findTrust } from './trust.ts';
import { verifyFirmware } from './verify.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-verify-'));
});
afterAll(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const GOOD = { 'etc/hearth/uuid': `${UUID}\n`, 'usr/bin/thing': 'a program'.repeat(9000) };

async function failure(path: string): Promise<{ code: string; where?: string }> {
  const error: unknown = await verifyFirmware(path, { trust: 'self' }).catch((thrown: unknown) => thrown);
  return error as { code: string; where?: string };
}

describe('verify', () => {
  test('says what it has checked', async () => {
    const key = await sampleFirmware(at('good.fw'), GOOD);
    const told: string[] = [];
    const verified = await verifyFirmware(at('good.fw'), {
      trust: [key],
      onProgress: ({ step, bytes }) => told.push(`${step} ${bytes?.done === bytes?.total}`),
    });
    expect(verified).toMatchObject({
      uuid: UUID,
      signer: { comment: 'somebody', exampleKey: false },
      payloads: [{ name: 'boot' }, { name: 'root', slotSize: 1 << 24 }],
      root: { files: 2, size: 81_037 },
    });
    for (const step of ['checking the payload boot', 'checking the payload root', 'unpacking the root'])
      expect(told).toContain(`${step} true`);
  });

  test('a root that says it is another, or nothing', async () => {
    const other = UUID.replace('0', 'f');
    await sampleFirmware(at('other.fw'), { ...GOOD, 'etc/hearth/uuid': `${other}\n` });
    await sampleFirmware(at('none.fw'), { 'usr/bin/thing': 'x' });
    const found = await failure(at('other.fw'));
    expect(found).toMatchObject({ code: 'fw-root-uuid', where: 'payload/root, /etc/hearth/uuid' });
    expect(String(found)).toContain(other);
    expect(await failure(at('none.fw'))).toMatchObject({ code: 'fw-root-uuid' });
  });

  test('a root that is none, and one whose file does not unpack', async () => {
    await sampleFirmware(at('noise.fw'), GOOD, (input) => {
      for (const payload of input.payloads) if (payload.name === 'root') payload.pieces = [noise(99_999)];
    });
    expect(await failure(at('noise.fw'))).toMatchObject({ code: 'bad-squashfs', where: 'byte 0' });
    let torn = 0;
    await sampleFirmware(at('torn.fw'), GOOD, (input) => {
      const root = input.payloads.find(({ name }) => name === 'root');
      if (!root || !Array.isArray(root.pieces)) throw new Error('no root');
      const image = Buffer.concat(root.pieces as Uint8Array[]);
      // In the first zstd frame, behind its header; signed as it is.
      torn = image.indexOf(Buffer.from('28b52ffd', 'hex'));
      image.fill(0xff, torn + 8, torn + 16);
      root.pieces = [image];
    });
    expect(await failure(at('torn.fw'))).toMatchObject({ code: 'bad-squashfs', where: `byte ${torn}` });
  });

  test('no boot payload', async () => {
    await sampleFirmware(at('bootless.fw'), GOOD, (input) => {
      input.payloads = input.payloads.filter(({ name }) => name !== 'boot');
    });
    expect(await failure(at('bootless.fw'))).toMatchObject({ code: 'fw-payload-missing' });
  });
});

describe('trust', () => {
  test('keys are lines, or files of lines', async () => {
    const [a, b] = ['ssh-ed25519 AAAA a comment', 'ssh-ed25519 BBBB'];
    await writeFile(at('keys.pub'), `# ours\n\n${a}\n${b}\n`);
    expect(await findTrust({ keys: [at('keys.pub'), a] })).toEqual({ trust: 'keys', keys: [a, b, a] });
    await expect(findTrust({ keys: [at('gone.pub')] })).rejects.toMatchObject({ code: 'key-missing' });
  });

  test('a folder that was named must be a project', async () => {
    await expect(findTrust({ keys: [], app: folder })).rejects.toMatchObject({ code: 'no-config' });
  });
});

describe('inspect', () => {
  test('an inventory travels with the firmware', async () => {
    await sampleFirmware(at('made.fw'), { [INVENTORY_FILE]: encodeInventory(sampleInventory) });
    const inspection = await inspectFirmware(at('made.fw'));
    expect(inspection.inventory).toEqual(sampleInventory);
    expect(sbomOf(inspection).components).toHaveLength(3 + 1 + 3 + 3 + 1);
  });

  test('a firmware without one shows the rest', async () => {
    await sampleFirmware(at('old.fw'), {
      ...GOOD,
      'etc/hearth/firmware.json': '{"kernelVersion":"6.12.1","console":"log","dev":false,"later":1}',
    });
    const inspection = await inspectFirmware(at('old.fw'));
    expect(inspection.inventory).toBeUndefined();
    expect(inspection.settings).toEqual({ kernelVersion: '6.12.1', console: 'log', dev: false });
    expect(inspection.files.find(({ path }) => path === '/usr/bin/thing')).toMatchObject({ size: 81_000 });
    expect(() => sbomOf(inspection)).toThrow(expect.objectContaining({ code: 'no-inventory' }));
  });

  test('settings and inventories that are neither', async () => {
    await sampleFirmware(at('odd.fw'), { 'etc/hearth/firmware.json': '{"dev":' });
    expect((await inspectFirmware(at('odd.fw'))).settings).toEqual({});
    for (const content of ['{', '{"format":2}', 'null']) {
      await sampleFirmware(at('later.fw'), { [INVENTORY_FILE]: content });
      await expect(inspectFirmware(at('later.fw'))).rejects.toMatchObject({ code: 'inventory-invalid' });
    }
    await using fw = await openFirmware(at('odd.fw'), { trust: 'self' });
    expect(fw.manifest.uuid).toBe(UUID);
  });
});
