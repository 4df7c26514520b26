import type { Channel, Joined, Member, Presence, PresenceSet } from "./types.js";
import { Cell } from "./view.js";

const NOBODY: readonly Member[] = Object.freeze([]);

/** Who is in a channel. It follows the channel while somebody follows it; `join` and `leave` tell of users. */
export function createPresence(
  channel: Pick<Channel, "subscribe">,
  query: () => Promise<Presence>,
  report: (error: unknown) => void,
): PresenceSet {
  const members = new Cell(NOBODY);
  const users = new Cell(0);
  let present = new Map<string, Member>(); // by user: the first of whose sessions is told of
  let asking: Joined[] | undefined; // what came while the answer was awaited
  let followers = 0;
  let leave = () => {};

  function apply({ type, member }: Joined): void {
    if (type === "leave") present.delete(member.user);
    else if (!present.has(member.user)) present.set(member.user, member);
  }

  function show(count = present.size): void {
    members.set(Object.freeze([...present.values()]));
    users.set(count);
  }

  async function ask(): Promise<void> {
    const missed: Joined[] = [];
    asking = missed;
    try {
      const found = await query();
      if (asking !== missed) return; // asked again, after a drop
      present = new Map();
      for (const member of found.members ?? []) apply({ type: "join", channel: "", member });
      for (const each of missed) apply(each);
      show(found.members ? present.size : found.users);
    } catch (error) {
      if (asking === missed && followers > 0) report(error);
    }
    asking = undefined;
  }

  function changed(joined: Joined): void {
    if (asking) {
      asking.push(joined);
    } else {
      apply(joined);
      show();
    }
  }

  function follow(): void {
    let left = false; // others may follow anew before this one is told that it was unsubscribed
    const handlers = { subscribed: () => void ask(), join: changed, leave: changed };
    const { ready, unsubscribe } = channel.subscribe(handlers);
    ready.catch((error) => left || report(error));
    leave = () => {
      left = true;
      unsubscribe();
    };
  }

  const followed = (subscribe: (listener: () => void) => () => void) => (listener: () => void) => {
    const stop = subscribe(listener);
    if (followers++ === 0) follow();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      stop();
      if (--followers === 0) leave();
    };
  };

  return {
    get: members.get,
    subscribe: followed(members.subscribe),
    users: { get: users.get, subscribe: followed(users.subscribe) },
  };
}
