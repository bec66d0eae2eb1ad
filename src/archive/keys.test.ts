import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { EXAMPLE_PUBLIC_KEY, isExampleKey } from './example-key.ts';
import { checkKeys, parseTrustedKeys } from './key-rules.ts';
import { generateKey, parsePrivateKey, privateKeyHead } from './private-key.ts';
import { fingerprint, parsePublicKey, publicKeyFromRaw } from './public-key.ts';
import { fileSigner, keySigner } from './signer.ts';
import { wireString } from './ssh-wire.ts';

const code = (value: string) => expect.objectContaining({ code: value });
const EXAMPLE_FOLDER = new URL('../../firmware/apps/example-key/', import.meta.url);
const RSA = `ssh-rsa ${Buffer.concat([wireString('ssh-rsa'), wireString('x')]).toString('base64')}`;

describe('public keys', () => {
  const { publicKey } = generateKey('me@here');

  test('keep their line, normalised, and their comment', () => {
    const key = parsePublicKey(`  ${publicKey.replace(' ', '\t')}`);
    expect(key.line).toBe(publicKey.trim());
    expect(key.line).toMatch(/ me@here$/);
    expect(fingerprint(key)).toMatch(/^SHA256:[\w+/]{43}$/);
  });

  test.each([
    ['ssh-rsa', RSA],
    ['sk-ssh-ed25519@openssh.com', 'sk-ssh-ed25519@openssh.com AAAA'],
    ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256 AAAA'],
  ])('of type %s are refused by name', (type, line) => {
    expect(() => parsePublicKey(line)).toThrow(code('key-type-unsupported'));
    expect(() => parsePublicKey(line)).toThrow(type);
  });

  test.each([
    '',
    'hello',
    'ssh-ed25519',
    'ssh-ed25519 AAAA',
    'ssh-ed25519 A*AA',
    `${publicKey.trim()}\n${publicKey}`,
    `${publicKey.trim()}${'x'.repeat(2000)}`,
    `ssh-ed25519 ${Buffer.concat([publicKeyFromRaw(Buffer.alloc(32)).blob, Buffer.from('x')]).toString('base64')}`,
    `ssh-ed25519 ${Buffer.concat([wireString('ssh-ed25519'), wireString('short')]).toString('base64')}`,
  ])('that are none are refused: %j', (line) => {
    expect(() => parsePublicKey(line)).toThrow(code('bad-ssh-key'));
  });

  test('whose blob is of another type than the line says are refused', () => {
    expect(() => parsePublicKey(RSA.replace('ssh-rsa', 'ssh-ed25519'))).toThrow(code('key-type-unsupported'));
  });
});

describe('private keys', () => {
  const { privateKey, publicKey } = generateKey('a comment');
  const damaged = (change: (bytes: Buffer) => unknown) => {
    const lines = privateKey.trim().split('\n');
    const bytes = Buffer.from(lines.slice(1, -1).join(''), 'base64');
    change(bytes);
    return [lines[0], bytes.toString('base64'), lines.at(-1)].join('\n');
  };

  test('are read back with their comment', () => {
    expect(`${parsePrivateKey(privateKey, 'f').publicKey.line}\n`).toBe(publicKey);
    expect(parsePrivateKey(privateKey.replaceAll('\n', '\r\n'), 'f').publicKey.line).toContain('a comment');
  });

  test('any flipped bit is noticed, or lies in the comment', () => {
    const comment = Buffer.from('a comment');
    const total = Buffer.from(privateKey.trim().split('\n').slice(1, -1).join(''), 'base64');
    const last = total.lastIndexOf(comment);
    for (let at = 0; at < total.length; at++) {
      if (at >= last && at < last + comment.length) continue;
      const text = damaged((bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ 1;
      });
      expect(() => parsePrivateKey(text, 'f'), `byte ${at}`).toThrow(FwError);
    }
  });

  test.each([
    ['key-type-unsupported', '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n'],
    ['key-type-unsupported', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['key-encrypted', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n'],
    ['bad-ssh-key', ''],
    ['bad-ssh-key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n'],
    ['bad-ssh-key', '-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n'],
  ])('%s: %j', (expected, text) => {
    expect(() => parsePrivateKey(text, 'f')).toThrow(code(expected));
  });

  test.each([
    ['its public half', () => publicKey, /public half/, /\.pub/],
    ['a key on one line', () => privateKey.replaceAll('\n', ' '), /line breaks/, /fw key export/],
    ['a key with \\n in it', () => privateKey.replaceAll('\n', '\\n'), /line breaks/, /fw key export/],
    [
      'a key without its end',
      () => privateKey.split('\n').slice(0, 2).join('\n'),
      /cut off/,
      /fw key export/,
    ],
    ['a key with a bit flipped', () => damaged((bytes) => bytes.fill(0, 0, 1)), /byte \d/, /fw key export/],
    ['some other text', () => 'password', /not an OpenSSH/, /fw key export/],
  ])('%s, given as one, is told with its place and a remedy', (_name, text, message, remedy) => {
    for (const parse of [parsePrivateKey, privateKeyHead]) {
      expect(() => parse(text(), 'HEARTH_SIGNING_KEY')).toThrow(
        expect.objectContaining({
          code: 'bad-ssh-key',
          message: expect.stringMatching(message),
          where: 'HEARTH_SIGNING_KEY',
          remedy: expect.stringMatching(remedy),
        }),
      );
    }
  });

  test('that are missing are named, with the remedy', async () => {
    await expect(fileSigner('/nowhere/key')).rejects.toMatchObject({
      code: 'key-missing',
      where: '/nowhere/key',
    });
  });
});

describe('the example key', () => {
  test('is the pair that lies in firmware/apps/example-key, and its README says that everybody has it', () => {
    const read = (name: string) => readFileSync(new URL(name, EXAMPLE_FOLDER), 'utf8');
    expect(read('example_key.pub').trim()).toBe(EXAMPLE_PUBLIC_KEY);
    expect(keySigner(read('example_key'), 'example_key').publicKey).toBe(EXAMPLE_PUBLIC_KEY);
    expect(isExampleKey(parsePublicKey(EXAMPLE_PUBLIC_KEY))).toBe(true);
    expect(read('README.md')).toContain('Everybody has it');
  });
});

describe('key rules', () => {
  const own = generateKey('own').publicKey.trim();
  const other = generateKey('other').publicKey.trim();
  const check = (signer: string, trustedKeys: string[], exampleKey: boolean) => () =>
    checkKeys({ signer: parsePublicKey(signer), trustedKeys, exampleKey });

  test('own keys, and the example key alone, are fine', () => {
    check(own, [own], false)();
    check(own, [other, own], false)();
    check(EXAMPLE_PUBLIC_KEY, [EXAMPLE_PUBLIC_KEY], true)();
  });

  test.each([
    ['fw-no-trusted-keys', own, [], false],
    ['fw-signer-not-trusted-by-itself', own, [other], false],
    ['fw-example-key-mixed', own, [own, EXAMPLE_PUBLIC_KEY], false],
    ['fw-example-key-mixed', EXAMPLE_PUBLIC_KEY, [own, EXAMPLE_PUBLIC_KEY], true],
    ['fw-example-key-mixed', EXAMPLE_PUBLIC_KEY, [own], true],
    ['fw-example-key-mixed', own, [EXAMPLE_PUBLIC_KEY], false],
    ['fw-example-key-hidden', EXAMPLE_PUBLIC_KEY, [EXAMPLE_PUBLIC_KEY], false],
    ['fw-example-key-claimed', own, [own], true],
  ] as const)('%s', (expected, signer, trusted, exampleKey) => {
    expect(check(signer, [...trusted], exampleKey)).toThrow(code(expected));
  });

  test('nobody trusts the example key beside another', () => {
    expect(() => parseTrustedKeys([EXAMPLE_PUBLIC_KEY, own])).toThrow(code('fw-example-key-mixed'));
  });
});
