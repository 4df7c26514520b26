import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DROPPED, Network } from "./network.ts";

/** A WebSocket of no network. */
class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: string[] = [];
  left: number | undefined;

  constructor() {
    FakeSocket.all.push(this);
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(code?: number): void {
    this.left = code;
  }
}

let told: string[];
let network: Network;

beforeEach(() => {
  FakeSocket.all = [];
  told = [];
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("location", new URL("http://server.test/"));
  network = new Network((direction, text, http) =>
    told.push([direction, http, text].filter(Boolean).join(" ")),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function open() {
  const closed: number[] = [];
  const heard: string[] = [];
  const socket = new network.WebSocket("ws://server.test/v1/ws");
  socket.onmessage = ({ data }: { data: string }) => heard.push(data);
  socket.onclose = ({ code }: { code: number }) => closed.push(code);
  return { socket, closed, heard, wire: FakeSocket.all.at(-1) };
}

test("frames are told line by line, and go through as they are", () => {
  const { socket, heard, wire } = open();
  socket.send("a\nb");
  wire?.onmessage?.({ data: "c\nd\n" });
  expect(told).toEqual(["out a", "out b", "in c", "in d"]);
  expect([wire?.sent, heard]).toEqual([["a\nb"], ["c\nd\n"]]);
});

test("dropped, nothing gets through, the server is told nothing, and sessions may go on", async () => {
  const { closed, heard, wire } = open();
  network.drop();
  expect([closed, wire?.left, wire?.onmessage]).toEqual([[1006], 4000, null]);
  const again = open();
  expect(FakeSocket.all).toHaveLength(1);
  vi.runAllTimers();
  expect([again.closed, heard]).toEqual([[1006], []]);
  await expect(network.fetch("/v1/sessions")).rejects.toThrow(DROPPED);
  network.restore();
  open();
  expect(FakeSocket.all).toHaveLength(2);
});

test("a network may let requests through, and no WebSockets", () => {
  network.webSockets = false;
  const { closed } = open();
  vi.runAllTimers();
  expect([closed, FakeSocket.all]).toEqual([[1006], []]);
});

const answers = (body: string, type: string) =>
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { headers: { "content-type": type } })));

test("requests and what they are answered with are told, and can be read by the SDK", async () => {
  vi.useRealTimers();
  answers('{"a":1}\n{"b":2}', "application/x-ndjson");
  const response = await network.fetch("/v1/x", { method: "POST", body: "1\n2" });
  expect(await response.text()).toBe('{"a":1}\n{"b":2}');
  await vi.waitFor(() => expect(told).toHaveLength(4));
  expect(told).toEqual([
    "out POST /v1/x 1",
    "out POST /v1/x 2",
    'in POST /v1/x {"a":1}',
    'in POST /v1/x {"b":2}',
  ]);
});

test("of an event stream its data is told", async () => {
  vi.useRealTimers();
  answers(': hi\n\nid: 1\ndata: {"a":1}\n\n', "text/event-stream; charset=utf-8");
  await network.fetch("/v1/x");
  await vi.waitFor(() => expect(told).toEqual(['in GET /v1/x {"a":1}']));
});

test("a request under way is cut", async () => {
  vi.stubGlobal("fetch", (_: string, { signal }: RequestInit) => {
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  const asked = network.fetch("/v1/x");
  network.drop();
  await expect(asked).rejects.toThrow(DROPPED);
});
