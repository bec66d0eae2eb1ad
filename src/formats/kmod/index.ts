export { type KernelModule, type ModuleSource, moduleClosure } from './closure.ts';
export { moduleIndexes } from './indexes.ts';
export { type ModuleInfo, readModuleInfo } from './modinfo.ts';
export { isModulePath, moduleName, modulesByName, parseModulesBuiltin } from './names.ts';
export { loadOrder } from './order.ts';
