/** hearthd on a server: `fw release` bundles this file to lib/hearthd.mjs. It runs the app, and nothing of a device. */

import { dirname, join } from 'node:path';
import { callApp } from './server/client.ts';
import { evaluate } from './server/evaluate.ts';
import { type ReleasePaths, readRelease, releaseEnvironment } from './server/release.ts';
import { serve } from './server/serve.ts';

const lib = import.meta.dirname;
const root = dirname(lib);
const paths: ReleasePaths = { root, lib, var: process.env.HEARTH_VAR ?? join(root, 'var') };
const info = readRelease(paths);
const environment = releaseEnvironment(info, paths, process.env);

const [verb, ...args] = process.argv.slice(2);
if (verb === undefined) serve(info, paths, environment);
else if (verb === 'eval') process.exit(evaluate(args[0] ?? '', environment));
else process.exit(await callApp(verb, args, info, paths));
