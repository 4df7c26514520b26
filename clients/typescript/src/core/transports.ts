import type { Connect } from "../generated/protocol.js";
import { CODE, text } from "./errors.js";
import type { TransportName, WebSocketConstructor } from "./types.js";

/** Ends no session: the code with which we leave a connection that we come back from. */
export const LEAVE = 4000;
const SSE_SILENCE = 60_000; // the server comments every 6 s, unless it is told otherwise
const GONE_GRACE = 1_000;
const SSE_BEGIN = 10_000; // a stream without a byte for so long is held back by something between us
const POST_LINES = 128;

/** How a connection ended that we did not close. */
export interface LinkEnd {
  readonly code: number;
  readonly reason: string;
  /** Nothing answers at the address: other transports over HTTP need not be tried. */
  readonly unreachable?: boolean;
  /** Something between us lets this transport not through. */
  readonly blocked?: boolean;
  /** Seconds that the server wants to be waited for. */
  readonly retryAfter?: number | undefined;
}

/** What a transport works with. `base` has no slash at its end. */
export interface Opening {
  readonly base: string;
  readonly fetch: typeof fetch;
  readonly WebSocket: WebSocketConstructor | undefined;
  /** Each text that arrives: one JSON object a line. Called for signs of life without a word, too. */
  readonly receive: (text: string) => void;
  /** Called once when the link is down, unless we closed it. */
  readonly closed: (end: LinkEnd) => void;
}

/** One connection, of whatever kind. Nothing here throws. */
export interface Link {
  /** Open or resume the session; the answer is received. May be called again after a refusal. */
  hello(command: Connect): void;
  /** Send one command, after the session stands. */
  send(line: string): void;
  /** Leave; with 1000 the session ends too. */
  close(code: number): void;
}

export type Transport = (opening: Opening) => Link;

const socket: Transport = ({ base, WebSocket, receive, closed }) => {
  if (!WebSocket) throw new Error("no WebSocket here");
  const ws = new WebSocket(`${base.replace(/^http/, "ws")}/v1/ws`, "hubbub.v1.json");
  let first: Connect | undefined;
  let open = false;
  ws.onopen = () => {
    open = true;
    if (first) ws.send(JSON.stringify(first));
  };
  ws.onmessage = ({ data }: { data: unknown }) => receive(typeof data === "string" ? data : "\0");
  ws.onclose = ({ code, reason }: { code: number; reason: string }) => {
    closed(
      open ? { code, reason } : { code, reason: reason || "no WebSocket could be opened", blocked: true },
    );
  };
  ws.onerror = () => {}; // `onclose` follows; without a listener `ws` would throw
  return {
    hello(command) {
      first = command;
      if (open) ws.send(JSON.stringify(command));
    },
    send: (line) => ws.send(line),
    close(code) {
      ws.onopen = ws.onmessage = ws.onclose = null;
      ws.close(code);
    },
  };
};

/** The `connected` of a session over HTTP says where it goes on. */
interface Session {
  readonly session: string;
  readonly secret: string;
  readonly stream: { readonly events: string; readonly commands: string; readonly poll_timeout: number };
}

interface Exchange extends Opening {
  readonly session: Session;
  readonly signal: AbortSignal;
  /** Ask the session. Throws a Failure unless it is answered with 2xx. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
}

class Failure extends Error {
  readonly end: LinkEnd;

  constructor(end: LinkEnd) {
    super(end.reason);
    this.end = end;
  }
}

const blocked = (reason: string) => new Failure({ code: CODE.lost, reason, blocked: true });

function failure(error: unknown): LinkEnd {
  if (error instanceof Failure) return error.end;
  return { code: CODE.lost, reason: text(error) };
}

/** `promise`, or a rejection after so many milliseconds. */
function within<T>(promise: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A session over HTTP: commands by POST, and pushes by `listen`, which never returns but throws. */
function overHttp(listen: (exchange: Exchange) => Promise<never>): Transport {
  return (opening) => {
    const { base, receive, closed } = opening;
    const stop = new AbortController();
    const { signal } = stop;
    const unsent: string[] = [];
    let session: Session | undefined;
    let sending = false;
    let most = POST_LINES;

    const headers = () => ({ "hubbub-session-secret": session?.secret ?? "" });

    async function fetched(url: string, init: RequestInit): Promise<Response> {
      try {
        return await opening.fetch(url, { ...init, cache: "no-store", signal });
      } catch (error) {
        throw new Failure({ code: CODE.lost, reason: text(error), unreachable: true });
      }
    }

    async function ask(path: string, init: RequestInit = {}): Promise<Response> {
      // The server does not know what a proxy has taken off the path: only what follows is its own.
      const url = base + path.slice(path.indexOf("/v1/"));
      const response = await fetched(url, { ...init, headers: { ...init.headers, ...headers() } });
      if (response.ok) return response;
      const reason = `the server answered with HTTP ${response.status}`;
      throw Object.assign(new Failure({ code: CODE.lost, reason }), { response });
    }

    async function open({ type: _, id, ...body }: Connect): Promise<void> {
      const response = await fetched(`${base}/v1/sessions`, { method: "POST", body: JSON.stringify(body) });
      const { status } = response;
      const answer = await object(response);
      if (response.ok && "stream" in answer) {
        session = answer as unknown as Session;
        receive(JSON.stringify({ ...answer, type: "connected", id }));
        if (!signal.aborted) await listen({ ...opening, session, signal, ask });
      } else if (!response.ok && typeof answer.code === "number") {
        receive(JSON.stringify({ ...answer, type: "error", id }));
      } else {
        const retryAfter = Number(response.headers.get("retry-after")) || undefined;
        const reason = `what answers is no Hubbub (HTTP ${status})`;
        throw new Failure({ code: CODE.lost, reason, unreachable: true, retryAfter });
      }
    }

    // One request at a time, so that commands arrive in order; what gathers meanwhile goes together.
    async function post(): Promise<void> {
      if (sending || !session) return;
      sending = true;
      while (unsent.length > 0) {
        const lines = unsent.splice(0, most);
        try {
          const response = await ask(session.stream.commands, { method: "POST", body: lines.join("\n") });
          receive(await response.text());
        } catch (error) {
          const response = (error as { response?: Response }).response;
          if (response?.status !== 400 && response?.status !== 413) throw error;
          if (lines.length > 1) {
            most = 1; // one of them is not taken: alone it will be told from the others
            unsent.unshift(...lines);
          } else {
            const { id } = JSON.parse(lines[0] ?? "{}") as { id?: number };
            const answer = await object(response);
            const told = typeof answer.code === "number" ? answer : { code: 111, name: "message_too_large" };
            receive(JSON.stringify({ message: "too large", ...told, type: "error", id }));
          }
          continue;
        }
        most = POST_LINES;
      }
      sending = false;
    }

    function fail(error: unknown): void {
      if (signal.aborted) return;
      stop.abort();
      closed(failure(error));
    }

    return {
      hello: (command) => void open(command).catch(fail),
      send(line) {
        unsent.push(line);
        post().catch((error) => {
          // Why a session is gone is said where its pushes are read, which may take a moment longer.
          const gone = (error as { response?: Response }).response?.status === 410;
          setTimeout(() => fail(error), gone ? GONE_GRACE : 0);
        });
      },
      close(code) {
        stop.abort();
        if (code !== CODE.normal || !session) return;
        const url = `${base}/v1/sessions/${session.session}`;
        opening.fetch(url, { method: "DELETE", headers: headers(), keepalive: true }).catch(() => {});
      },
    };
  };
}

/** The JSON object in `response`; an empty one for whatever else it is. */
async function object(response: Response): Promise<Record<string, unknown>> {
  try {
    const value: unknown = await response.json();
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Pushes as server-sent events. A stream that ends while the session goes on is opened again where it ended. */
const eventStream = overHttp(async ({ session, ask, receive, signal }) => {
  for (let seen = ""; ; ) {
    const headers = { accept: "text/event-stream", ...(seen && { "last-event-id": seen }) };
    const asked = ask(session.stream.events, { headers });
    const { body } = await within(asked, SSE_BEGIN, () => blocked("event streams do not get through"));
    if (!body) throw blocked("no streams here");
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let patience = SSE_BEGIN;
    for (let unread: string[] = [], last = ""; ; ) {
      const late = () =>
        patience === SSE_BEGIN ? blocked("event streams are held back") : new Error("silence");
      const { value, done } = await within(reader.read(), patience, late);
      if (signal.aborted) throw new Error("left");
      if (done) break;
      patience = SSE_SILENCE;
      // An event ends with an empty line, which may come in two pieces; a large one comes in very many.
      const piece = decoder.decode(value, { stream: true });
      const end = (last + piece).lastIndexOf("\n\n") + 2 - last.length;
      last = piece.slice(-1) || last;
      unread.push(piece);
      if (end < 1) {
        receive("");
        continue;
      }
      const lines: string[] = [];
      const whole = unread.join("");
      const rest = piece.slice(end);
      for (const line of whole.slice(0, whole.length - rest.length).split("\n")) {
        if (line.startsWith("data: ")) lines.push(line.slice(6));
        else if (line.startsWith("id: ")) seen = line.slice(4);
      }
      unread = rest ? [rest] : [];
      receive(lines.join("\n"));
    }
    if (patience === SSE_BEGIN) throw new Error("the stream has ended");
  }
});

/** Pushes as answers to requests that wait for them. */
const longPoll = overHttp(async ({ session, ask, receive }) => {
  const { events, poll_timeout: timeout } = session.stream;
  for (let seen = ""; ; ) {
    const answered = ask(seen ? `${events}?ack=${seen}` : events, {
      headers: { accept: "application/x-ndjson" },
    });
    const response = await within(
      answered,
      (timeout + 10) * 1000,
      () => new Error("a poll was not answered"),
    );
    const body = await response.text();
    seen = response.headers.get("hubbub-next") ?? seen;
    receive(body);
  }
});

export const TRANSPORTS: Readonly<Record<TransportName, Transport>> = {
  websocket: socket,
  sse: eventStream,
  polling: longPoll,
};
