import type { Push } from "../generated/protocol.js";
import type {
  CallOptions,
  Channel,
  ChannelOptions,
  ConnectionState,
  Events,
  Gap,
  HubbubOptions,
} from "./types.js";
import type { View } from "./view.js";

/** Signatures; the whole comes in the next commits. */
export declare class Hubbub {
  constructor(url: string, options?: HubbubOptions);
  readonly url: string;
  readonly connection: View<ConnectionState>;
  connect(): Promise<void>;
  close(): Promise<void>;
  reconnect(): void;
  channel<E extends Events = Record<string, unknown>>(name: string, options?: ChannelOptions): Channel<E>;
  call<R = unknown>(method: string, params?: unknown, options?: CallOptions): Promise<R>;
  on(event: "push", listener: (push: Push | Gap) => void): () => void;
  http(path: string, init?: RequestInit): Promise<Response>;
  time(): number;
}
