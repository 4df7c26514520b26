import { Cell, type View } from "../core/view.js";
import type { ChatEvent, Command, Emoji, Group } from "../generated/chat.js";
import { type Context, pages } from "./context.js";
import { Views } from "./store.js";

/** What all users share. */
export interface Catalogue {
  /** Custom emoji, by name. */
  readonly emoji: ReadonlyMap<string, Emoji>;
  /** Groups that can be mentioned, by id. */
  readonly groups: ReadonlyMap<string, Group>;
}

const EMPTY: Catalogue = { emoji: new Map(), groups: new Map() };
const NONE: readonly Command[] = Object.freeze([]);
/** Milliseconds after a change before it is looked at, for changes come together. */
const SETTLE = 200;

/** Custom emoji, groups and commands: read when somebody looks at them, and again when they have changed. */
export class Shelf {
  readonly view: View<Catalogue>;
  readonly #context: Context;
  readonly #all = new Cell<Catalogue>(EMPTY);
  readonly #commands = new Views((id) => this.#commandsOf(id));
  #wanted = false;
  #leave: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context) {
    this.#context = context;
    const subscribe = (listener: () => void) => {
      this.#want();
      return this.#all.subscribe(listener);
    };
    this.view = { get: this.#all.get, subscribe };
  }

  /** The commands that can be given in a conversation, by name. */
  commands(conversation: string): View<readonly Command[]> {
    return this.#commands.of(conversation);
  }

  /** Something has changed while this device was away. */
  readonly changed = (): void => {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), SETTLE);
  };

  stop(): void {
    clearTimeout(this.#timer);
    this.#leave?.();
    this.#leave = undefined;
    this.#wanted = false;
  }

  #want(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    const follow = this.#context.client.channel("catalogue:all").subscribe({
      publication: ({ data }) => {
        const { type } = data as ChatEvent;
        if (type === "emoji.changed" || type === "group.changed") this.changed();
      },
    });
    follow.ready.catch(this.#context.failed);
    this.#leave = follow.unsubscribe;
    void this.#read();
  }

  async #read(): Promise<void> {
    const { call, failed } = this.#context;
    try {
      const [emoji, groups] = await Promise.all([
        pages((cursor) => call("emoji.list", { cursor })),
        pages((cursor) => call("groups.list", { cursor })),
      ]);
      this.#all.set({
        emoji: new Map(emoji.flatMap((page) => page.emoji).map((each) => [each.name, each])),
        groups: new Map(groups.flatMap((page) => page.groups).map((each) => [each.id, each])),
      });
    } catch (error) {
      failed(error);
    }
  }

  #commandsOf(conversation: string): View<readonly Command[]> {
    const { call, failed } = this.#context;
    const all = new Cell(NONE);
    let asked = false;
    const ask = async () => {
      asked = true;
      try {
        const found = await pages((cursor) => call("commands.list", { conversation, cursor }));
        all.set(found.flatMap((page) => page.commands));
      } catch (error) {
        asked = false;
        failed(error);
      }
    };
    const subscribe = (listener: () => void) => {
      if (!asked) void ask();
      return all.subscribe(listener);
    };
    return { get: all.get, subscribe };
  }
}
