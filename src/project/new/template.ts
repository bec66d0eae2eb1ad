import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('template/', import.meta.url));
/** The line width of the template's biome.json, which decides how a list is broken. */
const WIDTH = 100;

export interface Values {
  name: string;
  /** The name of the signing key. */
  key: string;
  /** What package.json says of hearthfw. */
  hearthfw: string;
  targets: readonly string[];
  updateKeys: readonly string[];
  sshKeys: readonly string[];
}

/**
 * The files of a new project, by path. In the template, `dot-` at the beginning of a name stands for a dot (npm packs no
 * .gitignore), and `.tmpl` at its end keeps the tools of this repository off; `{{name}}` is replaced.
 */
export function projectFiles(values: Values): Map<string, string> {
  const { name, key, hearthfw, targets, updateKeys, sshKeys } = values;
  const replacements: Record<string, string> = {
    name,
    key,
    target: targets[0] ?? '',
    hearthfw: JSON.stringify(hearthfw),
    targets: listField('targets', targets),
    updateKeys: listField('updateKeys', updateKeys),
    sshKeys: listField('sshKeys', sshKeys),
  };
  const files = new Map<string, string>();
  for (const entry of readdirSync(FOLDER, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const stored = join(entry.parentPath, entry.name);
    const path = relative(FOLDER, stored).replaceAll(sep, '/');
    const text = readFileSync(stored, 'utf8').replace(/\{\{(\w+)\}\}/g, (all, slot: string) => {
      const value = replacements[slot];
      if (value === undefined) throw new Error(`${path} in the template: there is no value for ${all}`);
      return value;
    });
    files.set(path.replace(/(^|\/)dot-/, '$1.').replace(/\.tmpl$/, ''), text);
  }
  return files;
}

/** A field of fw.config.ts as a formatter would write it: in one line if that fits. */
export function listField(name: string, values: readonly string[]): string {
  const texts = values.map(literal);
  const line = `  ${name}: [${texts.join(', ')}],`;
  if (line.length <= WIDTH) return line;
  return [`  ${name}: [`, ...texts.map((text) => `    ${text},`), '  ],'].join('\n');
}

/** A string literal, in the quotes that need fewer escapes, and single ones when in doubt. */
function literal(text: string): string {
  const count = (quote: string): number => text.split(quote).length - 1;
  const quote = count("'") > count('"') ? '"' : "'";
  return `${quote}${text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`)}${quote}`;
}
