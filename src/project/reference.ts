import * as z from 'zod';
import { configSchema } from './schema.ts';

/** The example of the page; a test loads it. Nobody has the private half of its key. */
export const EXAMPLE = `import { defineFirmware } from 'hearthfw/config';

export default defineFirmware({
  name: 'weather',
  version: '1.4.0',
  app: { entry: './src/app.ts', env: { LOG_LEVEL: 'info' } },
  targets: ['rpi3', 'x86_64'],
  updateKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBdKIXAwnIUC4p/Lei8QD2ZRt7C03eOiPTOrRkKDFMM5 your release key'],
  config: { port: 8080 },
});
`;

/** What of JSON Schema zod writes for a configuration. */
interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minItems?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | false;
  $ref?: string;
}

/** docs/config.md: every field of fw.config.ts, from the schema that checks it. */
export function configReference(): string {
  const root = z.toJSONSchema(configSchema, { io: 'input' }) as Schema;
  const nested = Object.entries(root.properties ?? {}).flatMap(([name, field]) => {
    const object = objectIn(field);
    return object ? [section(name, field, object)] : [];
  });
  return [
    '<!-- Made from src/project/schema.ts by scripts/docs-config.ts; a test compares. -->',
    '# fw.config.ts',
    '',
    'A project is a folder with this file; its default export is the configuration. It is TypeScript, it may import',
    'other modules and JSON, and it is run on the machine that builds, never on the device. An unknown field is an',
    'error that suggests the nearest one; every mistake is told with its field.',
    '',
    '```ts',
    EXAMPLE.trimEnd(),
    '```',
    '',
    ...table(root),
    '',
    ...nested.flat(),
    ...SIGNING,
  ].join('\n');
}

const SIGNING = [
  '## Where the signing key is looked for',
  'Nothing unsigned is built. The private half of one of `updateKeys` is taken from the first place that is there:',
  '',
  '1. `HEARTH_SIGNING_KEY`: the path of an OpenSSH private key, or the key itself, as CI secrets are;',
  '2. the field `signingKey`;',
  '3. for each of `updateKeys`, in that order, the key folder: `HEARTH_KEYS`, else `hearth/keys` in `XDG_CONFIG_HOME` or `~/.config`, one',
  '   private key a file; then ssh-agent.',
  '',
];

function section(name: string, field: Schema, object: Schema): string[] {
  return [`## ${name}`, field.description ?? '', '', ...table(object), ''];
}

function table({ properties = {}, required = [] }: Schema): string[] {
  const rows = Object.entries(properties).map(([name, field]) => {
    const fallback = required.includes(name) ? '**required**' : defaultOf(field);
    return `| \`${name}\` | ${type(field)} | ${fallback} | ${field.description ?? ''} |`;
  });
  return ['| field | type | default | |', '| --- | --- | --- | --- |', ...rows];
}

function defaultOf(field: Schema): string {
  if (field.default === undefined) return '';
  // The fields of an object have their own defaults, in a table of their own.
  return objectIn(field) ? 'see below' : code(JSON.stringify(field.default).replaceAll('"', "'"));
}

/** The object with named fields that a field may be, if any. */
function objectIn(field: Schema): Schema | undefined {
  return [field, ...(field.anyOf ?? [])].find(({ properties }) => properties !== undefined);
}

function type(field: Schema): string {
  if (field.anyOf) return field.anyOf.map(type).join(' or ');
  if (field.enum) return field.enum.map((value) => code(`'${value}'`)).join(', ');
  if (field.$ref) return 'any JSON';
  if (field.properties) return 'object';
  switch (field.type) {
    case 'array':
      return `array of ${type(field.items ?? {})}${field.minItems ? `, at least ${field.minItems}` : ''}`;
    case 'object':
      return `object of ${type(field.additionalProperties || {})}`;
    case 'integer':
      return `integer${range(field)}`;
    default:
      return field.type ?? 'anything';
  }
}

function range({ minimum, exclusiveMinimum, maximum }: Schema): string {
  const from = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1);
  if (from === undefined) return '';
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? ` ≥ ${from}`
    : `, ${from} to ${maximum}`;
}

function code(text: string): string {
  return `\`${text}\``;
}
