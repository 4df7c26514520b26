export { HubbubError } from "./core/errors.js";
export { Hubbub, type ServerPush } from "./core/hubbub.js";
export {
  Outbox,
  type OutboxClient,
  type OutboxEntry,
  type OutboxItem,
  type OutboxOptions,
} from "./core/outbox.js";
export { indexedDbStorage, memoryStorage, type OutboxStorage, type StoredEntry } from "./core/storage.js";
export type * from "./core/types.js";
export { Cell, derived, type View } from "./core/view.js";
