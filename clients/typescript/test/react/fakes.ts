// A client without a network: it counts who follows what, and says what the test wants.

import { HubbubError } from "../../src/core/errors.js";
import type { Hubbub } from "../../src/core/hubbub.js";
import type {
  Channel,
  ChannelOptions,
  ConnectionState,
  Events,
  Handlers,
  Member,
  Publication,
  Subscribed,
  Subscription,
} from "../../src/core/types.js";
import { Cell, type View } from "../../src/core/view.js";

/** A View that counts its listeners. */
export class Counted<T> extends Cell<T> {
  listeners = 0;

  constructor(value: T) {
    super(value);
    const follow = this.subscribe;
    Object.assign(this, {
      subscribe: (listener: () => void) => {
        this.listeners++;
        const leave = follow(listener);
        let left = false;
        return () => {
          if (!left) this.listeners--;
          left = true;
          leave();
        };
      },
    });
  }
}

type Told = Handlers<Record<string, unknown>>;

export class FakeHubbub {
  readonly connection = new Counted<ConnectionState>({ status: "idle" });
  /** Who follows now. */
  readonly following: { name: string; options: ChannelOptions; handlers: Told }[] = [];
  /** How often anybody has begun to follow. */
  begun = 0;
  refusal: Error | undefined;
  /** Whether the server takes its time. */
  slow = false;
  readonly presence = new Map<string, Counted<readonly Member[]>>();

  get client(): Hubbub {
    return this as unknown as Hubbub;
  }

  channel<E extends Events>(name: string, options: ChannelOptions = {}): Channel<E> {
    const members = this.presence.get(name) ?? new Counted<readonly Member[]>([]);
    this.presence.set(name, members);
    const subscribe = (given: unknown): Subscription => {
      const handlers = (typeof given === "function" ? { publication: given } : given) as Told;
      const entry = { name, options, handlers };
      this.following.push(entry);
      this.begun++;
      const subscribed: Subscribed = {
        type: "subscribed",
        channel: name,
        recoverable: true,
        recovered: false,
      };
      // As it is with the real one: who leaves before it is in the channel is told so.
      const left = new HubbubError({ code: 1000, name: "closed", message: "unsubscribed" });
      const ready = Promise.resolve().then(() => {
        if (!this.following.includes(entry)) throw left;
        if (this.refusal) throw this.refusal;
        return this.slow ? new Promise<Subscribed>(() => undefined) : subscribed;
      });
      return {
        ready,
        unsubscribe: () => {
          const at = this.following.indexOf(entry);
          if (at >= 0) this.following.splice(at, 1);
        },
      };
    };
    return { name, presence: members as View<readonly Member[]>, subscribe } as unknown as Channel<E>;
  }

  /** All who follow are told. */
  publish(channel: string, event: string, data: unknown): void {
    const publication = { type: "publication", channel, event, data } as Publication;
    for (const each of [...this.following]) {
      if (each.name === channel) each.handlers.publication?.(publication);
    }
  }
}
