import { Cell, type ConnectionState, HubbubError, type OutboxClient } from "../../src/index.js";

export const CONNECTED: ConnectionState = {
  status: "connected",
  transport: "websocket",
  session: "s",
  user: "ada",
  resumed: false,
};
export const AWAY: ConnectionState = { status: "recovering", attempt: 1, retryAt: 0, reason: "test" };

export interface FakeCall {
  readonly method: string;
  readonly params: unknown;
  readonly key: string | undefined;
}

/** A client whose server is a function. A call that has not been answered when the connection goes never is. */
export class FakeClient implements OutboxClient {
  readonly connection = new Cell<ConnectionState>(AWAY);
  readonly calls: FakeCall[] = [];
  /** How many calls are under way, and were at most. */
  now = 0;
  most = 0;
  answer: (call: FakeCall) => Promise<unknown> = async ({ params }) => ({ params });

  async connect(): Promise<void> {
    this.connection.set(CONNECTED);
  }

  async call<R>(
    method: string,
    params?: unknown,
    { key, signal }: { key?: string; signal?: AbortSignal } = {},
  ) {
    const call = { method, params, key };
    this.calls.push(call);
    this.most = Math.max(this.most, ++this.now);
    let abort = () => {};
    try {
      const gone = new Promise<never>((_, reject) => {
        abort = () => reject(signal?.reason);
        signal?.addEventListener("abort", abort);
      });
      return (await Promise.race([this.answer(call), gone])) as R;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.now--;
    }
  }
}

export const refusal = (temporary: boolean, more: object = {}): HubbubError =>
  new HubbubError({
    code: temporary ? 133 : 104,
    name: temporary ? "overloaded" : "permission_denied",
    message: "no",
    temporary,
    ...more,
  });
