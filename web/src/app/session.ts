/** Who is signed in: where the token comes from, and the connection and chat that live as long as one is. */

import { Hubbub, indexedDbStorage } from "hubbub";
import { Chat } from "hubbub/chat";
import { useSyncExternalStore } from "react";
import { BASE, page } from "./page.ts";
import { devToken, readToken, takeToken, tokenFrom } from "./tokens.ts";

export type Session =
  | { readonly status: "out"; readonly error?: string; readonly busy?: boolean }
  | { readonly status: "in"; readonly hubbub: Hubbub; readonly chat: Chat };

/** Where tokens come from; kept for this tab, so that two tabs can be two people. */
type Source =
  | { readonly kind: "dev"; readonly user: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "token"; readonly token: string };

const KEY = "hubbub:session";
let session: Session = { status: "out" };
const listeners = new Set<() => void>();

export const currentSession = (): Session => session;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useSession = (): Session => useSyncExternalStore(subscribe, currentSession, currentSession);

function put(next: Session): void {
  session = next;
  for (const listener of [...listeners]) listener();
}

/** Sign in by what there is: `#token=`, `?as=` in development, what this tab had before, the server's `token_url`. */
export function startSession(): void {
  if (page.chat === false) return;
  const source = given();
  if (source !== undefined) void begin(source);
}

function given(): Source | undefined {
  const token = takeToken();
  if (token !== undefined) return { kind: "token", token };
  const as = new URLSearchParams(location.search).get("as");
  if (page.dev && as !== null && as !== "") return { kind: "dev", user: as };
  const kept = readToken(sessionStorage.getItem(KEY)) as Source | undefined;
  if (kept !== undefined && (kept.kind !== "dev" || page.dev)) return kept;
  return page.tokenUrl === undefined ? undefined : { kind: "url", url: page.tokenUrl };
}

export const signInAs = (user: string): Promise<void> => begin({ kind: "dev", user });
export const signInWith = (token: string): Promise<void> => begin({ kind: "token", token });
export const signInAgain = async (): Promise<void> => {
  if (page.tokenUrl !== undefined) await begin({ kind: "url", url: page.tokenUrl });
};

async function begin(source: Source): Promise<void> {
  put({ status: "out", busy: true });
  const fetchToken = async (): Promise<string> => {
    if (source.kind === "dev") return devToken(BASE, source.user);
    if (source.kind === "url") return tokenFrom(new URL(source.url, BASE).href);
    return source.token;
  };
  const hubbub = new Hubbub(BASE, {
    token: source.kind === "token" ? source.token : fetchToken,
    name: "hubbub-web",
  });
  const leave = hubbub.connection.subscribe(() => {
    const state = hubbub.connection.get();
    if (state.status === "recovering" || state.status === "offline") {
      put({ status: "out", busy: true, error: state.reason }); // it goes on trying
    }
  });
  try {
    await hubbub.connect();
  } catch (error) {
    leave();
    void hubbub.close();
    sessionStorage.removeItem(KEY);
    put({ status: "out", error: error instanceof Error ? error.message : String(error) });
    return;
  }
  leave();
  const state = hubbub.connection.get();
  const user = state.status === "connected" ? state.user : "";
  const chat = new Chat(hubbub, { storage: indexedDbStorage(`hubbub:${user}`) });
  sessionStorage.setItem(KEY, JSON.stringify(source));
  put({ status: "in", hubbub, chat });
}

/** Sign out: nothing of this user stays in the tab. */
export async function signOut(error?: string): Promise<void> {
  const before = session;
  sessionStorage.removeItem(KEY);
  const url = new URL(location.href);
  url.searchParams.delete("as");
  history.replaceState(null, "", `${url.pathname}${url.search}#/`);
  put({ status: "out", ...(error === undefined ? {} : { error }) });
  if (before.status !== "in") return;
  before.chat.stop();
  await before.hubbub.close();
}
