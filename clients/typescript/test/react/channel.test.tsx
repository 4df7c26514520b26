// @vitest-environment happy-dom
import { act, cleanup, render } from "@testing-library/react";
import { StrictMode, useState } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HubbubError } from "../../src/core/errors.js";
import type { ChannelOptions, Member } from "../../src/core/types.js";
import { type ChannelState, HubbubProvider, useChannel, useMembers } from "../../src/react.js";
import { FakeHubbub } from "./fakes.js";

let hubbub: FakeHubbub;
let seen: string[];
let states: ChannelState<Record<string, unknown>>[];
let renders: number;
const gap = vi.fn();
const joined = vi.fn();

beforeEach(() => {
  hubbub = new FakeHubbub();
  seen = [];
  states = [];
  renders = 0;
});
afterEach(cleanup);

interface Props {
  name: string | null;
  tag?: string;
  options?: ChannelOptions;
}

function Orders({ name, tag = "", options = {} }: Props) {
  renders++;
  states.push(useChannel(name, (publication) => seen.push(`${tag}${publication.event}`), options));
  return null;
}

function Watch({ all }: { all: boolean }) {
  useChannel("orders", all ? { gap, join: joined, publication: (each) => seen.push(each.event) } : { gap });
  return null;
}

function Last() {
  renders++;
  const [last, setLast] = useState("");
  useChannel("orders", (publication) => setLast(String(publication.data)));
  return <p>{last}</p>;
}

function Members({ name }: { name: string | null }) {
  return <p>{useMembers(name).map((each) => each.user)}</p>;
}

const within = (child: React.ReactNode) => <HubbubProvider client={hubbub.client}>{child}</HubbubProvider>;
const status = () => states.at(-1)?.status;

describe("a subscription", () => {
  test("stands while the component is there", async () => {
    const view = render(within(<Orders name="orders" />));
    expect(status()).toBe("joining");
    await act(async () => undefined);
    expect(status()).toBe("subscribed");
    act(() => hubbub.publish("orders", "paid", 1));
    expect(seen).toEqual(["paid"]);
    view.unmount();
    expect(hubbub.following).toEqual([]);
    hubbub.publish("orders", "late", 1);
    expect(seen).toEqual(["paid"]);
  });

  test("is one though StrictMode runs effects twice, and none is left behind", async () => {
    const view = render(<StrictMode>{within(<Orders name="orders" />)}</StrictMode>);
    await act(async () => undefined);
    expect(hubbub.begun).toBe(2);
    expect(hubbub.following).toHaveLength(1);
    expect(status()).toBe("subscribed");
    hubbub.publish("orders", "paid", 1);
    expect(seen).toEqual(["paid"]);
    view.unmount();
    expect(hubbub.following).toEqual([]);
  });

  test("is not refused because StrictMode's rehearsal has left it", async () => {
    hubbub.slow = true;
    render(<StrictMode>{within(<Orders name="orders" />)}</StrictMode>);
    await act(async () => undefined);
    expect(status()).toBe("joining");
  });

  test("moves with the name, and what the old channel tells late does not count", async () => {
    const view = render(within(<Orders name="a" />));
    await act(async () => undefined);
    view.rerender(within(<Orders name="b" />));
    expect(status()).toBe("joining");
    expect(hubbub.following.map((each) => each.name)).toEqual(["b"]);
    await act(async () => undefined);
    expect(status()).toBe("subscribed");
    view.rerender(within(<Orders name={null} />));
    expect(status()).toBe("off");
    expect(states.at(-1)?.channel).toBeUndefined();
    expect(hubbub.following).toEqual([]);
  });

  test("is refused for good", async () => {
    hubbub.refusal = new HubbubError({ code: 104, name: "permission_denied", message: "no" });
    render(within(<Orders name="orders" />));
    await act(async () => undefined);
    expect(states.at(-1)).toMatchObject({ status: "refused", error: { code: 104 } });
  });

  test("ends when the server says so, and the component knows", async () => {
    render(within(<Orders name="orders" />));
    await act(async () => undefined);
    act(() =>
      hubbub.following[0]?.handlers.unsubscribed?.({
        type: "unsubscribed",
        channel: "orders",
        code: 104,
        reason: "gone",
      }),
    );
    expect(states.at(-1)).toMatchObject({ status: "refused", error: { code: 104, message: "gone" } });
  });
});

describe("handlers", () => {
  test("are those of the newest render, and nothing is subscribed anew for them", async () => {
    const view = render(within(<Orders name="orders" tag="1:" />));
    await act(async () => undefined);
    view.rerender(within(<Orders name="orders" tag="2:" />));
    hubbub.publish("orders", "paid", 1);
    expect(seen).toEqual(["2:paid"]);
    expect(hubbub.begun).toBe(1);
  });

  test("for each kind of event, which may come and go", async () => {
    const view = render(within(<Watch all={false} />));
    const handlers = hubbub.following[0]?.handlers;
    handlers?.gap?.({ type: "gap", channel: "orders", since: { epoch: "e", offset: 1 } });
    hubbub.publish("orders", "a", 1);
    view.rerender(within(<Watch all={true} />));
    hubbub.publish("orders", "b", 1);
    const member: Member = { session: "s", user: "ada" };
    handlers?.join?.({ type: "join", channel: "orders", member });
    expect(gap).toHaveBeenCalledOnce();
    expect(joined).toHaveBeenCalledOnce();
    expect(seen).toEqual(["b"]);
    expect(hubbub.begun).toBe(1);
  });

  test("may set state, which is all that renders again", async () => {
    const view = render(within(<Last />));
    await act(async () => undefined);
    const before = renders;
    act(() => hubbub.publish("orders", "paid", "first"));
    expect(view.container.textContent).toBe("first");
    expect(renders - before).toBe(1);
  });
});

describe("options", () => {
  test("that say the same, in a new object each time, change nothing", async () => {
    const options = (): ChannelOptions => ({
      presence: false,
      token: () => "t",
      since: { epoch: "e", offset: 1 },
    });
    const view = render(within(<Orders name="orders" options={options()} />));
    await act(async () => undefined);
    view.rerender(within(<Orders name="orders" options={options()} />));
    expect(hubbub.begun).toBe(1);
    expect(hubbub.following[0]?.options).toMatchObject({ presence: false, since: { epoch: "e", offset: 1 } });
  });

  test("that differ subscribe anew", async () => {
    const view = render(within(<Orders name="orders" options={{ token: "a" }} />));
    view.rerender(within(<Orders name="orders" options={{ token: "b" }} />));
    expect(hubbub.begun).toBe(2);
    expect(hubbub.following.map((each) => each.options.token)).toEqual(["b"]);
  });

  test("a token is asked of the newest function", async () => {
    const view = render(within(<Orders name="orders" options={{ token: () => "old" }} />));
    view.rerender(within(<Orders name="orders" options={{ token: () => "new" }} />));
    const token = hubbub.following[0]?.options.token;
    expect(typeof token === "function" && token()).toBe("new");
    expect(hubbub.begun).toBe(1);
  });
});

test("two renders, from joining to subscribed, and none for a parent that renders", async () => {
  const view = render(within(<Orders name="orders" />));
  await act(async () => undefined);
  expect(renders).toBe(2);
  expect(new Set(states).size).toBe(2);
  view.rerender(within(<Orders name="orders" />));
  expect(new Set(states).size).toBe(2); // the same object: it may stand in dependencies
  const before = renders;
  const again = { type: "subscribed", channel: "orders", recoverable: true, recovered: true } as const;
  await act(async () => hubbub.following[0]?.handlers.subscribed?.(again)); // after a drop
  expect(renders).toBe(before);
});

test("members are followed, for as long as they are shown", async () => {
  const view = render(<StrictMode>{within(<Members name="orders" />)}</StrictMode>);
  const presence = hubbub.presence.get("orders");
  expect(presence?.listeners).toBe(1);
  await act(async () => presence?.set([{ session: "s", user: "ada" }]));
  expect(view.container.textContent).toBe("ada");
  view.rerender(<StrictMode>{within(<Members name={null} />)}</StrictMode>);
  expect(view.container.textContent).toBe("");
  expect(presence?.listeners).toBe(0);
});
