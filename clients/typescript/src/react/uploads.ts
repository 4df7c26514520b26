import { useEffect, useState } from "react";
import type { Chat } from "../chat/chat.js";
import type { Upload, UploadState } from "../chat/uploads.js";
import { Cell } from "../core/view.js";
import type { File as ChatFile } from "../generated/chat.js";
import { useChat } from "./provider.js";
import { constant, useLatest, useView } from "./view.js";

/** One upload of a component. `sent` and `total` are bytes; `file` is there when it is done. */
export interface UploadItem extends UploadState {
  /** Of this item, not of the file. */
  readonly id: number;
  readonly name: string;
  /** What was given, for a picture of it. */
  readonly source: Blob;
}

export interface Uploads {
  readonly items: readonly UploadItem[];
  /** Begin. The File's `id` goes into a message. Rejects with HubbubError, which is in the item, too. */
  readonly upload: (source: Blob, name?: string) => Promise<ChatFile>;
  /** Take an item off the list; what is under way is given up. */
  readonly remove: (id: number) => void;
  /** Take all items off the list, after they have been sent. */
  readonly clear: () => void;
}

const NONE = constant<readonly UploadItem[]>(Object.freeze([]));

class UploadList {
  readonly items = new Cell<readonly UploadItem[]>(NONE.get());
  readonly #running = new Map<number, { upload: Upload; leave: () => void }>();
  readonly #chat: { readonly current: Chat };
  #last = 0;

  constructor(chat: { readonly current: Chat }) {
    this.#chat = chat;
  }

  readonly upload = (source: Blob, name = nameOf(source)): Promise<ChatFile> => {
    const id = ++this.#last;
    const upload = this.#chat.current.upload(source, { name });
    const item = () => Object.freeze({ ...upload.state.get(), id, name, source });
    const leave = upload.state.subscribe(() =>
      this.items.update((items) => items.map((each) => (each.id === id ? item() : each))),
    );
    this.#running.set(id, { upload, leave });
    this.items.update((items) => [...items, item()]);
    upload.done.catch(() => undefined); // the item says it, to whom the promise is not of interest
    return upload.done;
  };

  readonly remove = (id: number): void => {
    const running = this.#running.get(id);
    this.#running.delete(id);
    running?.leave();
    if (running?.upload.state.get().file === undefined) running?.upload.abort();
    this.items.update((items) => items.filter((each) => each.id !== id));
  };

  readonly clear = (): void => {
    for (const id of [...this.#running.keys()]) this.remove(id);
  };
}

/** Uploads of a component, as of a composer. What is under way when it goes is given up. */
export function useUpload(): Uploads {
  const chat = useLatest(useChat());
  const [list] = useState(() => new UploadList(chat));
  useEffect(() => list.clear, [list]);
  const items = useView<readonly UploadItem[]>(list.items, NONE.get);
  return { items, upload: list.upload, remove: list.remove, clear: list.clear };
}

function nameOf(source: Blob): string {
  return "name" in source && typeof source.name === "string" && source.name !== "" ? source.name : "file";
}
