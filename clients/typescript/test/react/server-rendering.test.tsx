// @vitest-environment happy-dom
import { act } from "@testing-library/react";
import { version } from "react";
import { hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, expect, test, vi } from "vitest";
import {
  HubbubProvider,
  useChannel,
  useChatState,
  useConnection,
  useConversation,
  useConversations,
  useDraft,
  useMembers,
  useMessages,
  useOutbox,
  usePresence,
  useTyping,
  useUnread,
  useUpload,
  useUser,
} from "../../src/react.js";
import { FakeChat, item } from "./fake-chat.js";
import { FakeHubbub } from "./fakes.js";

function Page() {
  const channel = useChannel("orders", () => undefined);
  return (
    <p>
      {[
        useConnection().status,
        useChatState().status,
        channel.status,
        useMembers("orders").length,
        useConversations().length,
        useConversation("c1")?.unread,
        useUnread().messages,
        useUser("bob")?.name,
        usePresence("bob")?.availability,
        useTyping("c1").users.length,
        useMessages("c1").items.length,
        useDraft("c1")[0]?.updated,
        useOutbox().entries.length,
        useUpload().items.length,
      ].join(",")}
    </p>
  );
}

const SERVED = "<p>idle,idle,joining,0,0,,0,,,0,0,,0,0</p>";
let root: Root | undefined;
afterEach(() => {
  act(() => root?.unmount());
});

test("the server renders what there is before anything has happened, and begins nothing", () => {
  const hubbub = new FakeHubbub();
  const fake = new FakeChat();
  const errors = vi.spyOn(console, "error");
  const html = renderToString(
    <HubbubProvider client={hubbub.client} chat={fake.chat}>
      <Page />
    </HubbubProvider>,
  );
  expect(html).toBe(SERVED);
  // React 18 complains of an effect that on a server, where there is no document as there is here, is another one.
  const said = errors.mock.calls.map(([message]) => String(message));
  expect(said.filter((each) => !/useLayoutEffect does nothing on the server/.test(each))).toEqual([]);
  if (!version.startsWith("18.")) expect(said).toEqual([]);
  expect([hubbub.begun, hubbub.connection.listeners, fake.listeners, fake.lists.length]).toEqual([
    0, 0, 0, 0,
  ]);
  expect(fake.done).toEqual([]);
});

test("the page takes over what was served, though the client knows more by then, and then shows it", async () => {
  const hubbub = new FakeHubbub();
  const fake = new FakeChat();
  hubbub.connection.set({ status: "connected", transport: "sse", session: "s", user: "ada", resumed: false });
  fake.state.set({ status: "live" });
  fake.conversations.set([{} as never, {} as never]);
  fake.of("user bob").set({ name: "Bob" });
  fake.window = () => ({ items: [item(1, "hi")], atStart: true, atEnd: true, loading: undefined });
  const container = document.body.appendChild(document.createElement("div"));
  container.innerHTML = SERVED;
  const mismatches: unknown[] = [];
  await act(async () => {
    root = hydrateRoot(
      container,
      <HubbubProvider client={hubbub.client} chat={fake.chat}>
        <Page />
      </HubbubProvider>,
      { onRecoverableError: (error) => mismatches.push(error) },
    );
  });
  expect(mismatches).toEqual([]);
  expect(container.textContent).toBe("connected,live,subscribed,0,2,,0,Bob,,0,1,,0,0");
});
