import { derived, type View } from "../core/view.js";
import type { Message } from "../generated/chat.js";
import { type Context, pages } from "./context.js";
import { applyPins } from "./pages.js";

/** What is pinned in a conversation, the last pinned first; `look` asks for it unless it is known. */
export function pinsOf(context: Context, id: string): { view: View<readonly Message[]>; look: () => void } {
  const { store, read, call, failed } = context;
  const known = store.select((state) => state.conversations.get(id));
  const view = derived(
    [known],
    (one): readonly Message[] => (one?.pins ?? []).flatMap((seq) => one?.book.get(seq) ?? []),
    (one, other) => one.length === other.length && one.every((each, at) => each === other[at]),
  );
  let asking = false;
  const ask = async () => {
    asking = true;
    try {
      await read(
        id,
        () => pages((cursor) => call("pins.list", { conversation: id, cursor })),
        (state, found, since) => {
          const messages = found.flatMap((page) => page.messages);
          return applyPins(state, id, messages, since);
        },
      );
    } catch (error) {
      failed(error);
    } finally {
      asking = false;
    }
  };
  const look = () => {
    const one = known.get();
    if (one && !one.pins && !asking) void ask();
  };
  return { view, look };
}
