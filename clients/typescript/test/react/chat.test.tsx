// @vitest-environment happy-dom
import { act, cleanup, render, screen } from "@testing-library/react";
import { type ReactNode, StrictMode, startTransition, useState, version } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  HubbubProvider,
  type Messages,
  type Uploads,
  useChat,
  useChatState,
  useConnection,
  useConversation,
  useConversations,
  useDraft,
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

let hubbub: FakeHubbub;
let fake: FakeChat;
let renders: Record<string, number>;
let seen: Messages[];
let shown: Set<string>;
let uploads: Uploads;
let typing: () => void;
let typed: () => void;
const typings = new Set<unknown>();
let write: ReturnType<typeof useDraft>[1];
let go: (id: string) => void;

beforeEach(() => {
  hubbub = new FakeHubbub();
  fake = new FakeChat();
  renders = {};
  seen = [];
  shown = new Set();
});

function count(name: string): void {
  renders[name] = (renders[name] ?? 0) + 1;
}

afterEach(cleanup);

function Lost() {
  useConnection();
  return null;
}

function Chatless() {
  useChat();
  return null;
}

function Everything() {
  return (
    <p>
      {useConnection().status} {useChatState().status} {useConversations().length}
      {useConversation("c1")?.unread} {useUnread().messages} {useUser("bob")?.name}{" "}
      {usePresence("bob")?.availability}
      {useTyping("c1", { thread: 2 }).users} {useDraft("c1")[0]?.updated} {useOutbox().entries.length}
    </p>
  );
}

function Someone({ id }: { id: string | null }) {
  return (
    <p>
      {useUser(id)?.name ?? "nobody"} {usePresence(id)?.availability} {useConversation(id)?.unread}
      {useTyping(id).users} {useMessages(id).items.length} {useDraft(id)[0]?.updated}
    </p>
  );
}

function Names() {
  count("names");
  return useConversations().length;
}

function Typists() {
  count("typing");
  return useTyping("c1").users;
}

function Count() {
  count("list");
  return useMessages("c1").items.length;
}

function App() {
  count("app");
  return [<Names key="1" />, <Typists key="2" />, <Count key="3" />];
}

function List({ id, thread }: { id: string; thread?: number | undefined }) {
  const messages = useMessages(id, { thread });
  seen.push(messages);
  const texts = messages.items.map(
    (each) => (each.message.parts?.[0] as { text?: string } | undefined)?.text,
  );
  for (const each of texts) shown.add(`${id} ${thread} has ${each}`);
  return texts.map((each) => <p key={each}>{each}</p>);
}

function Switch() {
  const [id, setId] = useState("c1");
  go = setId;
  return <List id={id} />;
}

function Composer({ thread }: { thread?: number }) {
  const here = useTyping("c1", { thread });
  typing = here.start;
  typed = here.stop;
  typings.add(here);
  [, write] = useDraft("c1", { thread });
  return null;
}

function Failed() {
  const { entries, retry, discard } = useOutbox();
  return entries.map((each) => (
    <p key={each.id}>
      <button type="button" onClick={() => retry(each.id)}>
        retry
      </button>
      <button type="button" onClick={() => discard(each.id)}>
        discard
      </button>
    </p>
  ));
}

function Files() {
  uploads = useUpload();
  return uploads.items.map((each) => (
    <p key={each.id}>{`${each.name} ${each.status} ${each.sent}/${each.total}`}</p>
  ));
}

const strictly = (child: ReactNode) => (
  <StrictMode>
    <HubbubProvider client={hubbub.client} chat={fake.chat}>
      {child}
    </HubbubProvider>
  </StrictMode>
);
const text = () => document.body.textContent;

describe("the provider", () => {
  test("starts the chat, once", () => {
    render(strictly(null));
    expect(fake.done).toEqual(["start"]);
  });

  test("leaves a chat alone that runs already", () => {
    fake.state.set({ status: "live" });
    render(strictly(null));
    expect(fake.done).toEqual([]);
  });

  test("is missed by name", () => {
    const silence = vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect(() => render(<Lost />)).toThrow("there is no <HubbubProvider>");
    const without = <HubbubProvider client={hubbub.client}>{<Chatless />}</HubbubProvider>;
    expect(() => render(without)).toThrow("has no chat");
    silence.mockRestore();
  });
});

test("each hook shows what its View holds, follows it, and lets it go", async () => {
  const view = render(strictly(<Everything />));
  expect(text()).toBe("idle syncing 0 0    0");
  expect(hubbub.connection.listeners).toBe(1);
  expect(fake.listeners).toBe(9); // StrictMode or not
  await act(async () => {
    hubbub.connection.set({ status: "offline", reason: "" });
    fake.state.set({ status: "live" });
    fake.conversations.set([{} as never]);
    fake.of("conversation c1").set({ unread: 3 });
    fake.unread.set({ messages: 4, mentions: 0, conversations: 1 });
    fake.of("user bob").set({ name: "Bob" });
    fake.of("presence bob").set({ availability: "online" });
    fake.of("typing c1 2").set(["bob"]);
    fake.of("draft c1 undefined").set({ updated: 5 });
    fake.entries.set([{ id: "o1", state: "queued" } as never]);
  });
  expect(text()).toBe("offline live 13 4 Bob onlinebob 5 1");
  view.unmount();
  expect(hubbub.connection.listeners + fake.listeners).toBe(0);
});

test("without an id there is nothing to be asked for, and a new id is a new View", async () => {
  const view = render(strictly(<Someone id={null} />));
  expect(text()).toBe("nobody   0 ");
  expect([...fake.named.keys()]).toEqual([]);
  expect(fake.lists).toEqual([]);
  fake.of("user bob").set({ name: "Bob" });
  view.rerender(strictly(<Someone id="bob" />));
  expect(text()).toBe("Bob   0 ");
  view.rerender(strictly(<Someone id="eve" />));
  expect(text()).toBe("nobody   0 ");
  expect(fake.of("user bob").listeners).toBe(0);
});

test("only who shows what has changed renders again", async () => {
  const app = <App />;
  const view = render(
    <HubbubProvider client={hubbub.client} chat={fake.chat}>
      {app}
    </HubbubProvider>,
  );
  expect(renders).toEqual({ app: 1, names: 1, typing: 1, list: 2 });
  await act(async () => fake.of("typing c1 undefined").set(["bob"]));
  await act(async () => fake.lists[0]?.update((window) => ({ ...window, items: [item(1, "hi")] })));
  await act(async () => hubbub.connection.set({ status: "closed" }));
  expect(renders).toEqual({ app: 1, names: 1, typing: 2, list: 3 });
  view.rerender(
    <HubbubProvider client={hubbub.client} chat={fake.chat}>
      {app}
    </HubbubProvider>,
  );
  expect(renders).toEqual({ app: 1, names: 1, typing: 2, list: 3 });
});

describe("messages", () => {
  beforeEach(() => {
    fake.window = (name) => ({ items: [item(1, name)], atStart: false, atEnd: true, loading: undefined });
  });

  test("are held by one list, however often effects run, and given back", () => {
    const view = render(strictly(<List id="c1" />));
    expect(text()).toBe("c1 undefined");
    expect(fake.lists.map((each) => each.released)).toEqual([true, false]);
    view.unmount();
    expect(fake.lists.map((each) => each.released)).toEqual([true, true]);
    expect(fake.listeners).toBe(0);
  });

  test("of another conversation never show those of the one before, nor an empty page if they are there", async () => {
    // As in a browser: what is done after painting is done in a task of its own, and each task sees what is painted.
    const environment = globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean };
    environment.IS_REACT_ACT_ENVIRONMENT = false;
    const root = createRoot(document.body.appendChild(document.createElement("div")));
    const painted = new Set<string | null>();
    const until = async (shown: string) => {
      while (text() !== shown) {
        await new Promise((resolve) => setImmediate(resolve));
        painted.add(text());
      }
    };
    try {
      root.render(strictly(<List id="c1" />));
      await until("c1 undefined");
      painted.clear();
      root.render(strictly(<List id="c2" thread={4} />));
      await until("c2 4");
      expect([...painted].filter((each) => each !== "c1 undefined")).toEqual(["c2 4"]);
      expect(fake.lists.filter((each) => !each.released)).toHaveLength(1);
      root.unmount();
      await until("");
    } finally {
      environment.IS_REACT_ACT_ENVIRONMENT = true;
      document.body.replaceChildren();
    }
  });

  test("are never those of another conversation or thread, in any render", () => {
    const view = render(strictly(<List id="c1" />));
    view.rerender(strictly(<List id="c1" thread={4} />));
    view.rerender(strictly(<List id="c2" thread={4} />));
    expect([...shown]).toEqual(["c1 undefined has c1 undefined", "c1 4 has c1 4", "c2 4 has c2 4"]);
  });

  test("move as the list does, by functions that stay the same", async () => {
    render(strictly(<List id="c1" />));
    const list = fake.lists.at(-1);
    const first = seen.at(-1);
    await first?.loadBefore();
    await first?.loadAfter();
    await first?.jumpTo(7);
    await first?.toEnd();
    first?.visible(3);
    expect(list?.asked).toEqual(["before", "after", "jump 7", "end", "visible 3"]);
    await act(async () => list?.update((window) => ({ ...window, atStart: true })));
    expect(seen.at(-1)).toMatchObject({
      atStart: true,
      loadBefore: first?.loadBefore,
      visible: first?.visible,
    });
  });

  test("are told apart from others while a transition renders", async () => {
    render(strictly(<Switch />));
    await act(async () => {
      startTransition(() => go("c2"));
      fake.lists.at(-1)?.update((window) => ({ ...window, items: [item(2, "late")] }));
    });
    expect(text()).toBe("c2 undefined");
    expect(fake.lists.filter((each) => !each.released)).toHaveLength(1);
  });
});

test("typing and drafts are said of the conversation and thread that is shown", () => {
  const view = render(strictly(<Composer />));
  fake.done.length = 0;
  const before = [typing, typed, write];
  view.rerender(strictly(<Composer />));
  expect([typing, typed, write]).toEqual(before);
  expect(typings.size).toBe(version.startsWith("18.") ? 2 : 1); // of its rehearsal, 18 forgets what was made
  typing();
  view.rerender(strictly(<Composer thread={2} />));
  write(undefined);
  typing();
  typed();
  expect(fake.done).toEqual(["typing c1 undefined", "draft c1 2 none", "typing c1 2", "typed c1 2"]);
});

test("the outbox is asked to try again, or to forget", () => {
  fake.entries.set([{ id: "o1", state: "failed" } as never]);
  render(strictly(<Failed />));
  fake.done.length = 0;
  act(() => screen.getByText("retry").click());
  act(() => screen.getByText("discard").click());
  expect(fake.done).toEqual(["retry o1", "discard o1"]);
});

describe("uploads", () => {
  test("show how far they are, until they are taken off the list", async () => {
    render(strictly(<Files />));
    let done: Promise<{ id: string }> | undefined;
    await act(async () => {
      done = uploads.upload(new File(["12345"], "a.txt"));
      void uploads.upload(new Blob(["123"]), "b.txt");
    });
    expect(text()).toBe("a.txt uploading 0/5b.txt uploading 0/3");
    await act(async () => fake.uploads[0]?.state.update((state) => ({ ...state, sent: 2 })));
    expect(text()).toBe("a.txt uploading 2/5b.txt uploading 0/3");
    await act(async () => fake.uploads[0]?.finish("f1"));
    expect(text()).toBe("a.txt done 5/5b.txt uploading 0/3");
    expect((await done)?.id).toBe("f1");
    const [first, second] = uploads.items;
    await act(async () => uploads.remove(first?.id ?? 0));
    expect(text()).toBe("b.txt uploading 0/3");
    await act(async () => uploads.remove(second?.id ?? 0));
    expect(text()).toBe("");
    expect(fake.uploads.map((each) => each.aborted)).toEqual([false, true]);
    expect(fake.uploads.map((each) => each.state.listeners)).toEqual([0, 0]);
  });

  test("are given up with the component, not with StrictMode's rehearsal", async () => {
    const view = render(strictly(<Files />));
    await act(async () => void uploads.upload(new Blob(["123"])));
    expect(text()).toBe("file uploading 0/3");
    view.unmount();
    expect(fake.uploads[0]?.aborted).toBe(true);
    expect(fake.listeners).toBe(0);
  });
});
