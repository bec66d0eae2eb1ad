export { DuplicateRegistry } from './duplicate-registry.ts';
export type { Entry } from './entry.ts';
export { GroupChange, type GroupMonitor, Groups, type Reply } from './groups.ts';
export { Registry } from './registry.ts';
export {
  type BagTable,
  bagTable,
  namedBagTable,
  namedTable,
  type SetTable,
  type TableInfo,
  table,
  tables,
} from './table.ts';
export { type TableAccess, TableError, type TableOptions, TableTransfer } from './table-storage.ts';
