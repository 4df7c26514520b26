import type { ChannelHandle } from "./channel.js";
import type { Events, Joined, Member, Presence, PresenceSet } from "./types.js";
import { Cell } from "./view.js";

const NOBODY: readonly Member[] = Object.freeze([]);

/** Who is in a channel. It follows the channel while somebody follows it; `join` and `leave` tell of users. */
export function createPresence(
  channel: ChannelHandle<Events>,
  report: (error: unknown) => void,
): PresenceSet {
  const members = new Cell(NOBODY);
  const counts = new Cell(Object.freeze({ sessions: 0, users: 0 }));
  let present = new Map<string, Member>(); // by user: the first of whose sessions is told of
  let asking: Joined[] | undefined; // what came while the answer was awaited
  let followers = 0;
  let leave = () => {};

  function apply({ type, member }: Joined): void {
    if (type === "leave") present.delete(member.user);
    else if (!present.has(member.user)) present.set(member.user, member);
  }

  function show(): void {
    members.set(Object.freeze([...present.values()]));
    const sessions = Math.max(counts.get().sessions, present.size);
    counts.set(Object.freeze({ sessions, users: present.size }));
  }

  async function ask(): Promise<void> {
    const missed: Joined[] = [];
    asking = missed;
    try {
      const {
        members: all,
        sessions,
        users,
      } = await channel.query<Presence>({
        type: "presence",
        channel: channel.name,
      });
      if (asking !== missed) return; // asked again, after a drop
      present = new Map();
      for (const member of all ?? []) if (!present.has(member.user)) present.set(member.user, member);
      counts.set(Object.freeze({ sessions, users }));
      for (const each of missed) apply(each);
      if (all) members.set(Object.freeze([...present.values()]));
      if (all && missed.length > 0) show();
    } catch (error) {
      if (asking === missed && followers > 0) report(error);
    }
    asking = undefined;
  }

  function changed(joined: Joined): void {
    if (asking) asking.push(joined);
    else apply(joined);
    if (!asking) show();
  }

  function follow(): void {
    const subscription = channel.subscribe({ subscribed: () => void ask(), join: changed, leave: changed });
    subscription.ready.catch((error) => followers > 0 && report(error));
    leave = subscription.unsubscribe;
  }

  function followed(cell: Cell<unknown>) {
    return (listener: () => void): (() => void) => {
      const stop = cell.subscribe(listener);
      if (followers++ === 0) follow();
      let left = false;
      return () => {
        stop();
        if (left) return;
        left = true;
        if (--followers === 0) leave();
      };
    };
  }

  return {
    get: members.get,
    subscribe: followed(members),
    counts: { get: counts.get, subscribe: followed(counts as Cell<unknown>) },
  };
}
