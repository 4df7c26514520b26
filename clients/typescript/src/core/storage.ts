import type { WireError } from "./errors.js";

/** An entry as it is kept: JSON, and no more. */
export interface StoredEntry {
  readonly id: string;
  readonly method: string;
  readonly params: unknown;
  readonly key: string;
  readonly group: string;
  /** Milliseconds since the epoch, and no two alike: entries are in this order. */
  readonly added: number;
  readonly attempts: number;
  /** Why it failed; absent while it waits. */
  readonly error?: WireError | undefined;
}

/** Where an Outbox keeps its entries. */
export interface OutboxStorage {
  /** What tabs of one browser share it by; absent if nobody else sees it. */
  readonly name?: string;
  load(): Promise<readonly StoredEntry[]>;
  put(entry: StoredEntry): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Entries that are gone with the page. */
export function memoryStorage(): OutboxStorage {
  const entries = new Map<string, StoredEntry>();
  return {
    load: async () => [...entries.values()],
    put: async (entry) => void entries.set(entry.id, entry),
    remove: async (id) => void entries.delete(id),
  };
}

const STORE = "entries";

function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Entries that survive a reload, in the IndexedDB database `name`: one for each user, since whoever opens it sends
 * them. Where there is no IndexedDB, they are kept in memory.
 */
export function indexedDbStorage(name: string): OutboxStorage {
  if (typeof indexedDB === "undefined") return memoryStorage();
  let opened: Promise<IDBDatabase> | undefined;

  function open(): Promise<IDBDatabase> {
    opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const database = request.result;
        // Another tab deletes or upgrades it, or the browser takes it away: open it again when it is next used.
        database.onclose = () => {
          opened = undefined;
        };
        database.onversionchange = () => {
          database.close(); // tells no `onclose`
          opened = undefined;
        };
        resolve(database);
      };
    }).catch((error) => {
      opened = undefined;
      throw error;
    });
    return opened;
  }

  async function write(change: (store: IDBObjectStore) => IDBRequest): Promise<void> {
    const transaction = (await open()).transaction(STORE, "readwrite");
    change(transaction.objectStore(STORE));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  return {
    name,
    load: async () => finished((await open()).transaction(STORE).objectStore(STORE).getAll()),
    put: (entry) => write((store) => store.put(entry)),
    remove: (id) => write((store) => store.delete(id)),
  };
}
