import { useEffect, useMemo, useState } from "react";
import { HubbubError } from "../core/errors.js";
import type {
  Channel,
  ChannelOptions,
  Events,
  Handlers,
  Member,
  Publication,
  Subscribed,
} from "../core/types.js";
import { useHubbub } from "./provider.js";
import { constant, useLatest, useView } from "./view.js";

/** What to do with what a channel tells: with publications, or with each kind of event. */
export type ChannelHandlers<E extends Events> =
  | ((publication: Publication<E>) => void)
  | Omit<Handlers<E>, "signal">;

/** Where a component's subscription stands. */
export interface ChannelState<E extends Events> {
  /** To publish and to read the log; undefined without a name. */
  readonly channel: Channel<E> | undefined;
  /** `off`: there is no name; `refused`: with `error`, and for good, until name or options change. */
  readonly status: "off" | "joining" | "subscribed" | "refused";
  readonly error?: HubbubError;
}

interface Told {
  readonly channel: unknown;
  readonly status: "subscribed" | "refused";
  readonly error?: HubbubError;
}

/**
 * Follow a channel for as long as the component is there.
 *
 * The handlers of the newest render are called: they may use props and state, need no `useCallback`, and are never the
 * reason to subscribe anew. Without a name (null, undefined) nothing is followed.
 */
export function useChannel<E extends Events = Record<string, unknown>>(
  name: string | null | undefined,
  handlers?: ChannelHandlers<E>,
  options: ChannelOptions = {},
): ChannelState<E> {
  const client = useHubbub();
  const latest = useLatest({ handlers, token: options.token });
  const { presence, token, since } = options;
  // A token is what it says, or whatever the newest function gives.
  const fixed = typeof token === "string" ? token : undefined;
  const asked = typeof token === "function";
  const { epoch, offset } = since ?? {};
  const channel = useMemo(() => {
    if (name === null || name === undefined) return undefined;
    return client.channel<E>(name, {
      ...(presence !== undefined && { presence }),
      ...(fixed !== undefined && { token: fixed }),
      ...(asked && {
        token: () => (typeof latest.current.token === "function" ? latest.current.token() : ""),
      }),
      ...(epoch !== undefined && offset !== undefined && { since: { epoch, offset } }),
    });
  }, [client, name, presence, fixed, asked, epoch, offset, latest]);
  const [told, setTold] = useState<Told>();

  useEffect(() => {
    if (channel === undefined) return;
    const tell = (status: Told["status"], error?: HubbubError): void =>
      setTold((before) =>
        before?.channel === channel && before.status === status && before.error === error
          ? before
          : { channel, status, ...(error && { error }) },
      );
    const kinds = () => {
      const { handlers: now } = latest.current;
      return typeof now === "function" ? { publication: now } : (now ?? {});
    };
    const subscription = channel.subscribe({
      publication: (publication) => kinds().publication?.(publication),
      gap: (gap) => kinds().gap?.(gap),
      recovered: (recovered) => kinds().recovered?.(recovered),
      subscribed: (subscribed: Subscribed) => {
        tell("subscribed");
        kinds().subscribed?.(subscribed);
      },
      unsubscribed: (unsubscribed) => {
        const { code, reason } = unsubscribed;
        tell("refused", new HubbubError({ code, name: "unsubscribed", message: reason }));
        kinds().unsubscribed?.(unsubscribed);
      },
      join: (joined) => kinds().join?.(joined),
      leave: (left) => kinds().leave?.(left),
    });
    let gone = false;
    subscription.ready.then(
      () => gone || tell("subscribed"),
      (error: unknown) => gone || (error instanceof HubbubError && tell("refused", error)),
    );
    return () => {
      gone = true;
      subscription.unsubscribe();
    };
  }, [channel, latest]);

  // What was told of the channel before this one does not count.
  const current = told?.channel === channel ? told : undefined;
  const status = current?.status ?? "joining";
  const error = current?.error;
  return useMemo(
    () => ({ channel, status: channel === undefined ? "off" : status, ...(error && { error }) }),
    [channel, status, error],
  );
}

const NOBODY: readonly Member[] = Object.freeze([]);
const EMPTY = constant(NOBODY);

/** Who is in a channel, kept true for as long as the component is there. Without a name nobody. */
export function useMembers(name: string | null | undefined): readonly Member[] {
  const client = useHubbub();
  const members = useMemo(
    () => (name === null || name === undefined ? EMPTY : client.channel(name).presence),
    [client, name],
  );
  return useView(members, EMPTY.get);
}
