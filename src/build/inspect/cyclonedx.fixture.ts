/** CycloneDX's own JSON Schema of version 1.6, as a judge. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import addFormats from 'ajv-formats';

const SCHEMAS = join(
  dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json')),
  'res',
  'schema',
);
const schema = (name: string): { $id: string; enum?: string[] } =>
  JSON.parse(readFileSync(join(SCHEMAS, `${name}.SNAPSHOT.schema.json`), 'utf8'));

/** Every id of the SPDX License List that CycloneDX 1.6 knows. */
export const spdxIds = (): ReadonlySet<string> => new Set(schema('spdx').enum);

/** What is wrong with a document; empty when nothing is. */
export function schemaErrors(document: unknown): ErrorObject[] {
  // Strict mode complains of the schema, not of the document.
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  // Formats of a later draft; nothing of ours uses them.
  for (const name of ['idn-email', 'iri-reference']) ajv.addFormat(name, true);
  for (const name of ['jsf-0.82', 'spdx'])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const validate = ajv.compile(schema('bom-1.6'));
  return validate(document) ? [] : (validate.errors ?? []);
}
