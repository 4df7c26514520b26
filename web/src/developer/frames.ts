/** Frames as they are listed: what went out and came in, the last of them, and what is said of each. */

import { appended, Paced } from "./paced.ts";

export const KEPT = 500;

export interface Frame {
  readonly key: number;
  readonly direction: "out" | "in";
  readonly type: string;
  /** What it says; the text itself where that is no JSON. */
  readonly content: unknown;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The request that carried it, where that was no WebSocket. */
  readonly http?: string;
}

export interface Frames {
  readonly frames: readonly Frame[];
  readonly total: number;
  readonly bytes: number;
  /** All that were seen, in their order. */
  readonly types: readonly string[];
}

const NONE: Frames = { frames: [], total: 0, bytes: 0, types: [] };

/** The frames of one client. */
export class FrameLog extends Paced<Frames> {
  constructor() {
    super(NONE);
  }

  add(direction: "out" | "in", text: string, http?: string): void {
    const { frames, total, bytes, types } = this.latest;
    const frame = read(total + 1, direction, text, http);
    this.set({
      frames: appended(frames, [frame], KEPT),
      total: total + 1,
      bytes: bytes + frame.bytes,
      types: types.includes(frame.type) ? types : [...types, frame.type],
    });
  }

  clear(): void {
    this.change({ frames: [] });
  }
}

type Fields = Readonly<Record<string, unknown>>;
const fields = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};

const encoder = new TextEncoder();

export function read(key: number, direction: "out" | "in", text: string, http?: string): Frame {
  let content: unknown = text;
  try {
    content = JSON.parse(text);
  } catch {
    // what is no JSON is shown as it is
  }
  const { type } = fields(content);
  const bytes = encoder.encode(text).length;
  const frame = { key, direction, content, bytes, at: Date.now() };
  return {
    ...frame,
    type: typeof type === "string" ? type : untyped(direction, content, http),
    ...(http !== undefined && { http }),
  };
}

/** Over HTTP the address says what a session begins with. */
function untyped(direction: "out" | "in", content: unknown, http: string | undefined): string {
  if (typeof fields(content).code === "number") return "error";
  if (http?.endsWith("/v1/sessions") === true) return direction === "out" ? "connect" : "connected";
  return "?";
}

/** Which are shown: all, all but pings, those that were sent or received, or one type: "type:publication". */
export type Filter = "but-pings" | "all" | "out" | "in" | `type:${string}`;

export function shows({ type, direction, content }: Frame, filter: Filter, search: string): boolean {
  if (search !== "" && !json(content).toLowerCase().includes(search.toLowerCase())) return false;
  if (filter === "all") return true;
  if (filter === "but-pings")
    return type !== "ping" && !(type === "result" && isEmpty(fields(content).result));
  return filter === direction || filter === `type:${type}`;
}

const isEmpty = (result: unknown): boolean =>
  typeof result === "object" && result !== null && !Object.keys(result).length;

/** The one thing about a frame that is worth a look before it is opened. */
export function note(frame: Frame): string {
  const f = fields(frame.content);
  const text = (value: unknown): string =>
    typeof value === "string" || typeof value === "number" ? String(value) : "";
  const place = (value: unknown): string => {
    const { offset } = fields(value);
    return offset === undefined ? "" : `#${offset}`;
  };
  switch (frame.type) {
    case "connect":
      return f.resume ? "resume" : f.token ? "token" : "";
    case "connected":
      return f.resumed ? (f.recovered ? "resumed, recovered" : "resumed") : text(f.session);
    case "publication":
      return `${text(f.event)} ${place(f)}`.trim();
    case "published":
      return place(f.position);
    case "subscribed":
      return `${text(f.channel)} ${place(f.position)}`.trim();
    case "join":
    case "leave":
      return text(fields(f.member).user);
    case "error":
    case "disconnect":
      return `${text(f.code)} ${text(f.name ?? f.reason)}`.trim();
    case "result": {
      const { publications } = fields(f.result);
      return Array.isArray(publications) ? `publications: ${publications.length}` : "";
    }
    default:
      return text(f.event ?? f.channel ?? f.method);
  }
}

const SECRETS: ReadonlySet<string> = new Set(["token", "secret"]);

/** As JSON over several lines, without what would let somebody in. What is no JSON is shown as it is. */
export function json(content: unknown): string {
  if (typeof content === "string") return content;
  const veiled = (name: string, value: unknown) =>
    SECRETS.has(name) && typeof value === "string"
      ? `${value.slice(0, 6)}… (${value.length} characters)`
      : value;
  return JSON.stringify(content, veiled, 2);
}

/** Frames as one copies them: a line each, to be read by people and programs. */
export const copied = (frames: readonly Frame[]): string =>
  frames
    .map(({ at, direction, content }) => {
      const arrow = direction === "out" ? ">" : "<";
      const text = typeof content === "string" ? content : JSON.stringify(JSON.parse(json(content)));
      return `${new Date(at).toISOString()} ${arrow} ${text}`;
    })
    .join("\n");
