import { describe, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from './example-key.ts';
import { parsePublicKey } from './public-key.ts';
import { wireString, wireUint32 } from './ssh-wire.ts';
import { armorSignature, parseSignature, SIGNATURE_NAMESPACE } from './sshsig.ts';
import { newSigner, signBytes } from './test-firmware.ts';
import { verify } from './verify.ts';

const code = (value: string) => expect.objectContaining({ code: value });
const message = Buffer.from('{"format": 1}\n');
const signer = newSigner();
const other = newSigner('other');

describe('verify', () => {
  test('says whose signature it is', async () => {
    const armored = await signBytes(message, signer);
    expect(verify(message, armored, [other.publicKey, signer.publicKey]).line).toMatch(/^ssh-ed25519 /);
    expect(verify(message, armored, 'self').blob).toEqual(parsePublicKey(signer.publicKey).blob);
  });

  test('no key configured means refuse', async () => {
    const armored = await signBytes(message, signer);
    expect(() => verify(message, armored, [])).toThrow(code('fw-no-trusted-keys'));
  });

  test('another key, another message, no signature', async () => {
    const armored = await signBytes(message, signer);
    expect(() => verify(message, armored, [other.publicKey])).toThrow(code('fw-key-not-trusted'));
    expect(() => verify(Buffer.from('x'), armored, [signer.publicKey])).toThrow(code('fw-signature-wrong'));
    expect(() => verify(message, Buffer.alloc(0), 'self')).toThrow(code('fw-unsigned'));
  });

  test("one key's signature under another key's name does not fit", async () => {
    const theirs = parseSignature(await signBytes(message, other));
    const armored = armorSignature({ key: parsePublicKey(signer.publicKey), bytes: theirs.bytes });
    expect(() => verify(message, armored, [signer.publicKey])).toThrow(code('fw-signature-wrong'));
  });

  test('a trusted list that hides the example key among others is refused', async () => {
    const armored = await signBytes(message, signer);
    expect(() => verify(message, armored, [signer.publicKey, EXAMPLE_PUBLIC_KEY])).toThrow(
      code('fw-example-key-mixed'),
    );
  });
});

describe('SSH signatures', () => {
  const keyBlob = parsePublicKey(signer.publicKey).blob;
  interface Fields {
    magic: string;
    version: number;
    key: Buffer;
    namespace: string;
    reserved: string;
    hash: string;
    type: string;
    signature: Buffer;
    tail: string;
  }
  const armored = (change: Partial<Fields> = {}, layout = (base64: string) => base64) => {
    const f: Fields = {
      magic: 'SSHSIG',
      version: 1,
      key: keyBlob,
      namespace: SIGNATURE_NAMESPACE,
      reserved: '',
      hash: 'sha512',
      type: 'ssh-ed25519',
      signature: Buffer.alloc(64, 7),
      tail: '',
      ...change,
    };
    const inner = Buffer.concat([wireString(f.type), wireString(f.signature)]);
    const blob = Buffer.concat([
      Buffer.from(f.magic),
      wireUint32(f.version),
      wireString(f.key),
      ...[f.namespace, f.reserved, f.hash].map(wireString),
      wireString(inner),
      Buffer.from(f.tail),
    ]);
    const base64 = blob.toString('base64').replace(/(.{70})/g, '$1\n');
    return Buffer.from(`-----BEGIN SSH SIGNATURE-----\n${layout(base64)}\n-----END SSH SIGNATURE-----\n`);
  };

  test('that are right are read', () => {
    expect(parseSignature(armored()).bytes).toEqual(Buffer.alloc(64, 7));
  });

  test.each<[string, Partial<Fields>]>([
    ['bad-ssh-signature', { magic: 'SSHSIH' }],
    ['bad-ssh-signature', { version: 2 }],
    ['fw-signature-namespace', { namespace: 'git' }],
    ['bad-ssh-signature', { reserved: 'x' }],
    ['fw-signature-hash', { hash: 'sha256' }],
    ['fw-signature-hash', { hash: 'none' }],
    ['key-type-unsupported', { type: 'ssh-rsa' }],
    [
      'key-type-unsupported',
      { key: Buffer.concat([wireString('sk-ssh-ed25519@openssh.com'), wireString('x')]) },
    ],
    ['bad-ssh-key', { key: Buffer.concat([keyBlob, Buffer.from('x')]) }],
    ['bad-ssh-signature', { signature: Buffer.alloc(63) }],
    ['bad-ssh-signature', { tail: 'x' }],
  ])('%s: %j', (expected, change) => {
    expect(() => parseSignature(armored(change))).toThrow(code(expected));
  });

  test.each([
    ['one line', (base64: string) => base64.replaceAll('\n', '')],
    ['an empty line', (base64: string) => `${base64}\n`],
    ['other padding', (base64: string) => `${base64}=`],
    ['other unused bits', (base64: string) => base64.replace(/.=$/, '/=')],
  ])('spelled otherwise (%s) are refused', (_, layout) => {
    const bytes = armored({}, layout);
    expect(bytes.equals(armored())).toBe(false);
    expect(() => parseSignature(bytes)).toThrow(code('bad-ssh-signature'));
  });

  test('that are enormous are refused', () => {
    expect(() => parseSignature(armored({ tail: 'x'.repeat(20_000) }))).toThrow(code('bad-ssh-signature'));
  });
});
