/**
 * hearthd: `fw build` bundles this file to /usr/lib/hearth/hearthd.mjs. The first beat and the app's process do not wait for the
 * rest: of a file, and of what it imports, Node parses every line before it runs the first one.
 */

import './early.ts';

await import('./services.ts');
