// A chat without a server: Views that the test sets, which count who follows them, and lists that count who holds them.

import type { Chat } from "../../src/chat/chat.js";
import type { MessageItem } from "../../src/chat/items.js";
import type { ConversationView } from "../../src/chat/shown.js";
import type { Upload, UploadState } from "../../src/chat/uploads.js";
import type { MessageList, MessageWindow } from "../../src/chat/windows.js";
import { HubbubError } from "../../src/core/errors.js";
import type { OutboxEntry } from "../../src/core/outbox.js";
import type { File as ChatFile, Draft, Presence, User } from "../../src/generated/chat.js";
import { Counted } from "./fakes.js";

export function item(seq: number, text: string): MessageItem {
  return {
    key: `m${seq}`,
    status: "sent",
    message: { conversation: "c1", seq, sender: "ada", time: seq, parts: [{ type: "text", text }] },
  } as unknown as MessageItem;
}

export class FakeList extends Counted<MessageWindow> implements MessageList {
  released = false;
  readonly asked: string[] = [];
  loadBefore = async () => void this.asked.push("before");
  loadAfter = async () => void this.asked.push("after");
  jumpTo = async (seq: number) => void this.asked.push(`jump ${seq}`);
  toEnd = async () => void this.asked.push("end");
  visible = (seq: number) => void this.asked.push(`visible ${seq}`);
  release = () => {
    this.released = true;
  };
}

export class FakeUpload implements Upload {
  readonly state: Counted<UploadState>;
  readonly done: Promise<ChatFile>;
  aborted = false;
  #settle: { resolve: (file: ChatFile) => void; reject: (error: Error) => void } | undefined;

  constructor(total: number) {
    this.state = new Counted<UploadState>({ status: "uploading", sent: 0, total });
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  finish(id: string): void {
    const file = { id } as ChatFile;
    this.state.update((state) => ({ ...state, status: "done", sent: state.total, file }));
    this.#settle?.resolve(file);
  }

  abort(): void {
    this.aborted = true;
    this.state.update((state) => ({ ...state, status: "aborted" }));
    this.#settle?.reject(new HubbubError({ code: 100, name: "aborted", message: "aborted" }));
  }
}

export class FakeChat {
  readonly state = new Counted<ReturnType<Chat["state"]["get"]>>({ status: "idle" });
  readonly conversations = new Counted<readonly ConversationView[]>([]);
  readonly unread = new Counted({ messages: 0, mentions: 0, conversations: 0 });
  readonly entries = new Counted<readonly OutboxEntry[]>([]);
  readonly done: string[] = [];
  readonly lists: FakeList[] = [];
  readonly uploads: FakeUpload[] = [];
  readonly named = new Map<string, Counted<unknown>>();
  /** What a list of messages shows at first. */
  window: (name: string) => MessageWindow = () => ({
    items: [],
    atStart: true,
    atEnd: true,
    loading: undefined,
  });

  get chat(): Chat {
    return this as unknown as Chat;
  }

  /** The View of one thing. */
  of<T>(name: string, initial?: T): Counted<T> {
    const view = this.named.get(name) ?? new Counted<unknown>(initial);
    this.named.set(name, view);
    return view as Counted<T>;
  }

  /** How many listeners there are in all. */
  get listeners(): number {
    const views = [
      this.state,
      this.conversations,
      this.unread,
      this.entries,
      ...this.lists,
      ...this.named.values(),
    ];
    const uploads = this.uploads.map((each) => each.state);
    return [...views, ...uploads].reduce((sum, view) => sum + view.listeners, 0);
  }

  readonly outbox = {
    entries: this.entries,
    retry: (id: string) => void this.done.push(`retry ${id}`),
    discard: (id: string) => void this.done.push(`discard ${id}`),
  };

  async start(): Promise<void> {
    this.done.push("start");
    this.state.set({ status: "syncing" });
  }

  conversation = (id: string) => this.of<ConversationView | undefined>(`conversation ${id}`);
  user = (id: string) => this.of<User | undefined>(`user ${id}`);
  presence = (id: string) => this.of<Presence | undefined>(`presence ${id}`);
  typing = (id: string, thread?: number) => this.of<readonly string[]>(`typing ${id} ${thread}`, []);
  draft = (id: string, thread?: number) => this.of<Draft | undefined>(`draft ${id} ${thread}`);
  startTyping = (id: string, thread?: number) => void this.done.push(`typing ${id} ${thread}`);
  stopTyping = (id: string, thread?: number) => void this.done.push(`typed ${id} ${thread}`);
  setDraft = (id: string, draft: unknown, thread?: number) =>
    void this.done.push(`draft ${id} ${thread} ${JSON.stringify(draft) ?? "none"}`);

  messages(id: string, { thread }: { thread?: number } = {}): FakeList {
    const list = new FakeList(this.window(`${id} ${thread}`));
    this.lists.push(list);
    return list;
  }

  upload(file: Blob, { name }: { name: string }): FakeUpload {
    this.done.push(`upload ${name}`);
    const upload = new FakeUpload(file.size);
    this.uploads.push(upload);
    return upload;
  }
}
