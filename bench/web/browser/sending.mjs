// From the Enter key to what one sees: one's own message, that the server has it, and the other's window.

import { newContext, percentile, Window, within } from "./chromium.mjs";

export async function sending(browser, { url, messages }) {
  const [ada, bob] = await Promise.all(
    ["ada", "bob"].map(async (user) => {
      const window = await Window.open(await newContext(browser), `${url}/?as=${user}#/c/demo-general`);
      await window.when("message");
      await window.say(`${user} is here`);
      return window;
    }),
  );
  await ada.composer.click();
  const sent = [];
  for (let count = 0; count < messages; count++) {
    const text = `measured ${count} ${Math.random().toString(36).slice(2)}`;
    const heard = bob.evaluate((wanted) => globalThis.hubbubProbe.heard(wanted), text);
    await ada.composer.pressSequentially(text, { delay: 5 });
    const watched = ada.evaluate((wanted) => globalThis.hubbubProbe.watchSending(wanted), text);
    await ada.evaluate(() => undefined); // it watches now
    await ada.page.keyboard.press("Enter");
    const [{ shown, confirmed, pressed }, at] = await within(30, Promise.all([watched, heard]), text);
    sent.push({ shown, confirmed, heard: at - pressed });
  }
  const inputs = await ada.evaluate(() => globalThis.hubbubProbe.inputs);
  const keys = inputs.filter(({ name }) => name === "keydown").map(({ duration }) => duration);
  const faults = [...ada.faults, ...bob.faults];
  await Promise.all([ada.context.close(), bob.context.close()]);
  const of = (name, share) =>
    percentile(
      sent.map((each) => each[name]),
      share,
    );
  return {
    sent: sent.length,
    shown_p50_ms: of("shown", 0.5),
    shown_p95_ms: of("shown", 0.95),
    confirmed_p50_ms: of("confirmed", 0.5),
    confirmed_p95_ms: of("confirmed", 0.95),
    heard_p50_ms: of("heard", 0.5),
    heard_p95_ms: of("heard", 0.95),
    key_p95_ms: percentile(keys, 0.95),
    key_max_ms: Math.max(...keys),
    faults,
  };
}
