import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { FaultProxy } from "../proxy.js";
import { follow, until, World } from "./world.js";

const MB = 1024 * 1024;

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());
afterEach(() => world.leave());

function bytes(size: number): Buffer<ArrayBuffer> {
  const all = Buffer.alloc(size);
  for (let at = 0; at < size; at++) all[at] = (at * 31 + (at >> 8)) % 251;
  return all;
}

async function content(url: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(url)).arrayBuffer());
}

test("a small file goes in one request, and into a message", async () => {
  const id = await world.group(["ada", "bob"]);
  const ada = await world.enter("ada");
  const progress: number[] = [];
  const upload = ada.chat.upload(new File(["All is well."], "report.txt"), {
    onProgress: (sent) => progress.push(sent),
  });
  expect(upload.state.get()).toEqual({ status: "uploading", sent: 0, total: 12 });
  const file = await upload.done;
  expect(file).toMatchObject({ name: "report.txt", size: 12, state: "ready" });
  expect(upload.state.get()).toEqual({ status: "done", sent: 12, total: 12, file });
  expect(progress).toEqual([12]);
  const message = await ada.chat.send(id, { text: "Here it is.", files: [file.id] }).sent;
  expect(message.parts?.[1]).toMatchObject({ type: "file", file: file.id, name: "report.txt" });

  const bob = await world.enter("bob");
  const [one, two, three] = await Promise.all([
    bob.chat.fileUrl(file.id),
    bob.chat.fileUrl(file.id),
    bob.chat.fileUrl(file.id, { download: true }),
  ]);
  expect(one).toBe(two);
  expect(three).not.toBe(one);
  expect((await content(one)).toString()).toBe("All is well.");
  await expect(bob.chat.fileUrl("0".repeat(32))).rejects.toMatchObject({ name: "not_found" });
});

test("URLs are asked for together, and remembered until they end", async () => {
  const ada = await world.enter("ada");
  const files = await Promise.all(
    ["a", "b", "c"].map((each) => ada.chat.upload(new Blob([each]), { name: `${each}.txt` }).done),
  );
  const calls: unknown[] = [];
  const call = ada.hubbub.call.bind(ada.hubbub);
  ada.hubbub.call = (method, params, options) => {
    calls.push([method, (params as { files?: unknown[] }).files?.length]);
    return call(method, params, options);
  };
  const urls = await Promise.all(files.map((each) => ada.chat.fileUrl(each.id)));
  expect(await Promise.all(files.map((each) => ada.chat.fileUrl(each.id)))).toEqual(urls);
  expect(calls).toEqual([["chat.files.urls", 3]]);
  const time = ada.hubbub.time.bind(ada.hubbub);
  ada.hubbub.time = () => time() + 880; // of 900
  await ada.chat.fileUrl(files[0]?.id as string);
  expect(calls.length).toBe(2);
});

test("a large file goes in pieces, and goes on after drops where it was", async () => {
  const proxy = await FaultProxy.start(world.server);
  const ada = await world.enter("ada", { url: proxy.url });
  const said = bytes(7 * MB);
  const progress: number[] = [];
  // Before a piece comes, and after one has, whose answer is lost.
  const names = (text: string, offset: number) => new RegExp(`upload-offset: ${offset}\\r`, "i").test(text);
  const cuts = { before: 0, after: 0 };
  proxy.cutBefore = (text) => text.startsWith("PATCH") && names(text, 2 * MB) && ++cuts.before === 1;
  proxy.cutAfter = (text) => text.startsWith("HTTP/1.1 204") && names(text, 5 * MB) && ++cuts.after === 1;
  const upload = ada.chat.upload(new Blob([said]), {
    name: "film.bin",
    onProgress: (sent) => progress.push(sent),
  });
  const file = await upload.done;
  expect(file).toMatchObject({ name: "film.bin", size: 7 * MB, state: "ready" });
  expect(cuts).toEqual({ before: 2, after: 1 });
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
  expect(progress.at(-1)).toBe(7 * MB);
  expect((await content(await ada.chat.fileUrl(file.id))).equals(said)).toBe(true);
  await proxy.stop();
});

test("an upload can be given up, and leaves nothing", async () => {
  const eve = await world.enter("eve");
  const control = new AbortController();
  const upload = eve.chat.upload(new Blob([bytes(8 * MB)]), {
    name: "big.bin",
    signal: control.signal,
    onProgress: (sent) => sent >= 2 * MB && control.abort(),
  });
  await expect(upload.done).rejects.toMatchObject({ name: "AbortError" });
  expect(upload.state.get().status).toBe("aborted");
  await until(async () => (await eve.chat.call("files.list", {})).files.length === 0);
  const other = eve.chat.upload(new Blob(["x"]), { name: "x" });
  other.abort();
  await expect(other.done).rejects.toThrow();
});

test("what the server does not take has its reason", async () => {
  const ada = await world.enter("ada");
  const elf = new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, ...new Uint8Array(200)]);
  const upload = ada.chat.upload(new Blob([elf]), { name: "program" });
  await expect(upload.done).rejects.toMatchObject({ name: "file_refused", code: 138 });
  expect(upload.state.get()).toMatchObject({ status: "failed", error: { name: "file_refused" } });
});

test("files show before they are confirmed, as part of a message that waits", async () => {
  const id = await world.group(["ada"]);
  const ada = await world.enter("ada");
  const list = follow(ada.chat.messages(id));
  const file = await ada.chat.upload(new Blob(["x"]), { name: "x.txt" }).done;
  await until(() => list.get().atEnd);
  const { key, sent } = ada.chat.send(id, { files: [file.id] });
  expect(list.get().items.at(-1)).toMatchObject({
    key,
    message: { parts: [{ type: "file", file: file.id }] },
  });
  await sent;
  await until(() => list.get().items.at(-1)?.status === "sent");
  expect(list.get().items.filter((each) => each.message.parts?.[0]?.type === "file").length).toBe(1);
  expect(list.get().items.at(-1)?.message.parts?.[0]).toMatchObject({ name: "x.txt", size: 1 });
});
