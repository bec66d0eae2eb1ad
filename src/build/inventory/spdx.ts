/**
 * Names of licences. Source: the SPDX License List, https://spdx.org/licenses/. Only what turns up in firmware: a name
 * that is missing here is handed on as it is, not as an SPDX id.
 */
export const SPDX_IDS: ReadonlySet<string> = new Set(
  `0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0-Perl Artistic-2.0
  BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSL-1.0 CC-BY-3.0 CC-BY-4.0
  CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 curl EPL-1.0 EPL-2.0 EUPL-1.2 FSFAP FSFUL FSFULLR FTL GFDL-1.1-or-later
  GFDL-1.2-or-later GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only
  GPL-3.0-or-later HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only
  LGPL-3.0-or-later Libpng MIT MIT-0 MPL-1.1 MPL-2.0 NCSA OFL-1.1 OpenSSL PostgreSQL Python-2.0 Ruby Unicode-3.0
  Unicode-DFS-2016 Unlicense W3C WTFPL X11 Zlib`.split(/\s+/),
);
const LOWER = new Map([...SPDX_IDS].map((id) => [id.toLowerCase(), id]));
const EXCEPTIONS = new Set([
  'Linux-syscall-note',
  'GCC-exception-3.1',
  'Classpath-exception-2.0',
  'LLVM-exception',
]);

export function isSpdxId(text: string): boolean {
  return SPDX_IDS.has(text);
}

/** The id in its right case, if it is one. */
export function spdxId(text: string): string | undefined {
  return LOWER.get(text.toLowerCase());
}

/** Whether a text is an expression of known ids (and LicenseRefs), such as `(MIT OR Apache-2.0)`. */
export function isSpdxExpression(text: string): boolean {
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const operand = (): boolean => {
    const token = tokens[at++];
    if (token === '(') return compound() && tokens[at++] === ')';
    if (token === undefined || !(isSpdxId(token) || /^LicenseRef-[A-Za-z0-9.-]+$/.test(token))) return false;
    if (tokens[at] !== 'WITH') return true;
    at += 2;
    return EXCEPTIONS.has(tokens[at - 1] ?? '');
  };
  const compound = (): boolean => {
    if (!operand()) return false;
    while (tokens[at] === 'AND' || tokens[at] === 'OR') {
      at++;
      if (!operand()) return false;
    }
    return true;
  };
  return compound() && at === tokens.length;
}
