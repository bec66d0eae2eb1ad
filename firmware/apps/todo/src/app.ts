import { config, device, logger, run } from 'hearthfw';
import { type Settings, todo } from './tree.ts';

if (device.dataState !== 'persistent') logger.warning('entries will not be kept', { data: device.dataState });

run(todo({ port: 5454, folder: device.dataDir, idleMs: 30_000, ...config<Partial<Settings>>() }));
