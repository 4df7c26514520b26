// The support desk's page: files that go with messages, and cards with buttons.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, choose, has, open, say, shot, violations } from "./support_desk.js";

/** A picture of so many pixels, drawn by the browser. */
const png = async (page, width, height) =>
  Buffer.from(await page.evaluate(([width, height]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "teal";
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = "orange";
    pen.fillRect(width / 4, height / 4, width / 2, height / 2);
    return canvas.toDataURL().split(",")[1];
  }, [width, height]), "base64");
const attach = (page, ...files) => page.setInputFiles("#ticket .composer input[type=file]", files);

test("files go with a message: pictures are shown, others are downloads, and nothing becomes active", async (t) => {
  const carla = await ask(t, "files", "A photo", "See for yourself.");
  const sam = await open(t, "sam");
  await choose(sam, "A photo");
  await attach(carla, { name: "broken.png", mimeType: "image/png", buffer: await png(carla, 800, 500) },
    { name: "notes.html", mimeType: "text/html", buffer: Buffer.from("<script>alert(1)</script>") });
  await has(carla, ".attached", "notes.html");
  await shot(carla, "attached");
  await carla.click('.attached [aria-label="Remove notes.html"]');
  await attach(carla, { name: "log.txt", mimeType: "text/plain", buffer: Buffer.alloc(2_500_000, "a line\n") });
  await say(carla, "Here it is.");
  await has(sam, ".picture .file-name", "broken.png");
  const picture = sam.locator(".picture img");
  await sam.waitForFunction(() => document.querySelector(".picture img")?.naturalWidth);
  assert.deepEqual(await picture.evaluate((img) => [img.naturalWidth, img.naturalHeight]), [320, 200]);
  await has(sam, ".file", "2.5 MB");
  assert.ok(carla.requests.filter((each) => each === "PATCH").length >= 4, "in pieces");
  await shot(sam, "files");
  for (const [name, start] of [[".file", "log.txt"], [".picture", "broken.png"]]) {
    const [download] = await Promise.all([sam.waitForEvent("download"), sam.click(name)]);
    assert.equal(download.suggestedFilename(), start);
  }
  await attach(carla, { name: "evil.html", mimeType: "text/html", buffer: Buffer.from("<script>alert(1)</script>") });
  await carla.press("#message", "Enter"); // a file says enough
  await has(sam, ".file", "evil.html");
  assert.equal(await sam.locator("#log img").count(), 1);
  assert.deepEqual(await violations(sam), []);
  assert.deepEqual([...sam.faults, ...carla.faults], []);
});

test("an upload goes on where it stopped", async (t) => {
  const tom = await ask(t, "resumes", "Large", "It is large.");
  let failed = 0;
  await tom.route("**/v1/uploads/*", (route) =>
    route.request().method() === "PATCH" && ++failed === 2 ? route.abort() : route.continue());
  await attach(tom, { name: "large.bin", mimeType: "", buffer: Buffer.alloc(3_000_000, 7) });
  await tom.press("#message", "Enter");
  await has(tom, ".file", "3.0 MB");
  assert.equal(tom.requests.filter((each) => each === "HEAD").length, 1);
  assert.equal(failed, 4, "three pieces, one of them twice");
});

test("the buttons of a card are answered by the program", async (t) => {
  const cleo = await ask(t, "cards", "A card", "Is it a card?");
  const sam = await open(t, "sam");
  await choose(sam, "A card");
  await sam.click("#solved");
  await has(cleo, ".card h3", "Is it solved?");
  await has(cleo, "#tickets .row", "Support: Is it solved?");
  await sam.click(".card button:has-text('Yes')");
  await has(sam, ".answer", "This is for the customer to say.");
  assert.equal(await cleo.locator(".answer").count(), 0, "who has pressed sees it, and nobody else");
  await shot(sam, "card");
  await cleo.click(".card button:has-text('Not yet')");
  await has(cleo, ".answer", "Tell us what is missing.");
  await has(sam, ".card h3", "Not solved yet");
  await shot(cleo, "card-answered");
  assert.equal(await sam.locator(".card button").count(), 0);
  await sam.click("#solved");
  await cleo.focus(".card button:has-text('Yes')");
  await cleo.keyboard.press("Enter");
  await has(cleo, "#closed", "This ticket is closed.");
  await has(sam, "#log article:last-child .card h3", "Solved");
  assert.deepEqual(await violations(cleo), []);
  assert.deepEqual([...sam.faults, ...cleo.faults], []);
});
