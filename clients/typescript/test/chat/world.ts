/** Users with their devices at a real server, and what must hold of what they see. */

import { createHash, randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import {
  Chat,
  type ChatOptions,
  type MessageList,
  type MessageWindow,
  type Operation,
  type Params,
  type Result,
} from "../../src/chat.js";
import { ROUTES } from "../../src/generated/routes.js";
import { Hubbub, type HubbubOptions } from "../../src/index.js";
import { Server, type ServerOptions, until } from "../server.js";

const API_KEY = `hubbub_${randomBytes(32).toString("base64url")}`;

export interface DeviceOptions extends ChatOptions {
  readonly hubbub?: HubbubOptions;
  /** Of a proxy before the server. */
  readonly url?: string;
}

/** One client of one user. */
export class Device {
  readonly hubbub: Hubbub;
  readonly chat: Chat;
  readonly user: string;
  readonly errors: unknown[] = [];

  constructor(server: Server, user: string, { hubbub, url, ...options }: DeviceOptions = {}) {
    this.user = user;
    this.hubbub = new Hubbub(url ?? server.url, { token: server.token(user), WebSocket, ...hubbub });
    this.chat = new Chat(this.hubbub, {
      delivered: false,
      onError: (each) => this.errors.push(each),
      ...options,
    });
  }

  async close(): Promise<void> {
    this.chat.stop();
    await this.hubbub.close();
  }
}

export class World {
  readonly server: Server;
  readonly #devices: Device[] = [];

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(options: ServerOptions = {}): Promise<World> {
    const hash = createHash("sha256").update(API_KEY).digest("hex");
    const settings = { "auth.api_keys": JSON.stringify([`sha256:${hash}`]), ...options.settings };
    return new World(await Server.start({ ...options, settings }));
  }

  async stop(): Promise<void> {
    await this.leave();
    await this.server.stop();
  }

  /** All devices go. */
  async leave(): Promise<void> {
    await Promise.all(this.#devices.splice(0).map((each) => each.close()));
  }

  /** A device that is up to date. */
  async enter(user: string, options?: DeviceOptions): Promise<Device> {
    const device = this.device(user, options);
    await device.chat.start();
    return device;
  }

  device(user: string, options?: DeviceOptions): Device {
    const device = new Device(this.server, user, options);
    this.#devices.push(device);
    return device;
  }

  /** A request to the REST API: as the server, or in a user's place. */
  async rest<T = never>(method: string, path: string, body?: unknown, as?: string): Promise<T> {
    const response = await fetch(`${this.server.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        "content-type": "application/json",
        ...(as && { "hubbub-user": as }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  /** Any operation by REST: as the server, or in a user's place. */
  async call<O extends Operation>(operation: O, params: Params<O>, as?: string): Promise<Result<O>> {
    const [method, path] = ROUTES[operation];
    const rest = { ...params } as Record<string, unknown>;
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const value = encodeURIComponent(String(rest[name]));
      delete rest[name];
      return value;
    });
    if (["POST", "PUT", "PATCH"].includes(method)) return this.rest(method, filled, rest, as);
    const query = new URLSearchParams(
      Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
    return this.rest(method, `${filled}?${query}`, undefined, as);
  }

  /** Users that there are. */
  async users(...names: readonly string[]): Promise<void> {
    for (const each of names) await this.rest("PUT", `/users/${each}`, { name: each });
  }

  /** A group of these, the first of whom has made it. Gives its id. */
  async group(members: readonly string[], more: object = {}): Promise<string> {
    await this.users(...members);
    const [owner, ...others] = members;
    const body = { kind: "group", name: "Group", members: others.map((user) => ({ user })), ...more };
    const mine = await this.rest<{ conversation: { id: string } }>("POST", "/conversations", body, owner);
    return mine.conversation.id;
  }

  /** Somebody says something. Gives its seq. */
  async say(user: string, conversation: string, text: string, more: object = {}): Promise<number> {
    const body = { parts: [{ type: "text", text }], ...more };
    const sent = await this.rest<{ message: { seq: number } }>(
      "POST",
      `/conversations/${conversation}/messages`,
      body,
      user,
    );
    return sent.message.seq;
  }
}

/** A list that is followed, until it is released. */
export function follow(list: MessageList): MessageList & { readonly stop: () => void } {
  const leave = list.subscribe(() => undefined);
  const stop = () => {
    leave();
    list.release();
  };
  return Object.assign(list, { stop });
}

/** What the messages of a window say. */
export function texts(window: MessageWindow): string[] {
  return window.items.map(({ message }) =>
    message.deleted !== undefined ? "-" : ((message.parts?.[0] as { text?: string })?.text ?? "?"),
  );
}

export { until };
