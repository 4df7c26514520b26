import { afterAll, beforeAll, expect, test } from "vitest";
import { Hubbub } from "../../src/index.js";
import { Server, until } from "../server.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());

for (const transport of ["websocket", "sse", "polling"] as const) {
  test(`a publication comes round by ${transport}`, async () => {
    const { WebSocket } = await import("ws");
    const hubbub = new Hubbub(server.url, { token: server.token("ada"), transports: [transport], WebSocket });
    const channel = hubbub.channel<{ hello: { n: number } }>(`round-${transport}`);
    const seen: number[] = [];
    await channel.subscribe((publication) => seen.push(publication.data.n)).ready;
    expect(hubbub.connection.get()).toMatchObject({ status: "connected", transport, user: "ada" });
    for (let n = 0; n < 20; n++) await channel.publish("hello", { n });
    await until(() => seen.length === 20);
    expect(seen).toEqual([...Array(20).keys()]);
    await hubbub.close();
  });
}
