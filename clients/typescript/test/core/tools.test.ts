// What tools need: any command of the protocol, and the choice of a transport.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Hubbub } from "../../src/index.js";
import { Server } from "../server.js";

let server: Server;
let hubbub: Hubbub;

beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  hubbub = new Hubbub(server.url, { token: server.token("ada"), WebSocket });
});
afterEach(() => hubbub.close());

test("any command is sent as it is, and answered with the reply", async () => {
  const reply = await hubbub.command({ type: "history", channel: "lobby", limit: 1 });
  expect(reply).toMatchObject({ type: "result", result: { publications: [] } });
  await expect(hubbub.command({ type: "nonsense" })).rejects.toMatchObject({
    name: "bad_request",
    code: 107,
  });
});

test("a session goes on over another transport, and comes back over it", async () => {
  await hubbub.connect();
  const first = hubbub.connection.get();
  if (first.status !== "connected") throw new Error(first.status);
  for (const transport of ["polling", "sse", "websocket"] as const) {
    const moved = new Promise<void>((resolve) => {
      const stop = hubbub.connection.subscribe(() => {
        const state = hubbub.connection.get();
        if (state.status !== "connected" || state.transport !== transport) return;
        stop();
        expect(state).toMatchObject({ session: first.session, resumed: true });
        resolve();
      });
    });
    hubbub.reconnect(transport);
    await moved;
  }
});
