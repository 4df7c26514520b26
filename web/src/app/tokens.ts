/** Tokens, from wherever they come. */

import { HubbubError } from "hubbub";

/** Take the token out of `#token=...`: the address that is left says nothing of it. */
export function takeToken(): string | undefined {
  const found = /^#token=([^&]+)(?:&(.*))?$/.exec(location.hash);
  if (found === null) return undefined;
  history.replaceState(
    null,
    "",
    `${location.pathname}${location.search}#/${(found[2] ?? "").replace(/^\/?/, "")}`,
  );
  return decodeURIComponent(found[1] ?? "");
}

/** What was kept for this tab, if it can be read. */
export function readToken(json: string | null): object | undefined {
  try {
    const found: unknown = JSON.parse(json ?? "null");
    return typeof found === "object" && found !== null && "kind" in found ? found : undefined;
  } catch {
    return undefined;
  }
}

/** A development server's token for whoever one says one is. */
export async function devToken(base: string, user: string): Promise<string> {
  const response = await fetch(new URL("dev/token", base), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user }),
  });
  return answer(response);
}

/** A token from `web.token_url`: asked for with this site's cookies; the answer is JSON with `token`, or the token. */
export async function tokenFrom(url: string): Promise<string> {
  return answer(await fetch(url, { credentials: "include", headers: { accept: "application/json" } }));
}

const UNAUTHENTICATED = 101; // docs/reference/errors.md

async function answer(response: Response): Promise<string> {
  const path = new URL(response.url).pathname;
  // What has gone wrong for now is tried again; who is not signed in there will not be by waiting.
  const refuse = (message: string, temporary: boolean) =>
    new HubbubError({ code: UNAUTHENTICATED, name: "unauthenticated", message, temporary });
  if (!response.ok) throw refuse(`no token: ${path} answered ${response.status}`, response.status >= 500);
  const text = (await response.text()).trim();
  if (!text.startsWith("{")) return text;
  const body: unknown = JSON.parse(text);
  const token = typeof body === "object" && body !== null && "token" in body ? body.token : undefined;
  if (typeof token !== "string") throw refuse(`no token: the answer of ${path} has none`, false);
  return token;
}
