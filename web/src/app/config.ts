/** What the server has written into the page: `<meta name="hubbub" content="{...}">`. */

export interface PageConfig {
  /** What the app is called. */
  readonly title: string;
  /** In development anybody may be anybody: tokens come from `dev/token`. */
  readonly dev: boolean;
  /** Where a token is fetched from, with cookies; absent: it is given in the address, or pasted. */
  readonly tokenUrl?: string;
  readonly version?: string;
  /** Code points that a message may have. */
  readonly textLength: number;
  /** The developer's page is for whoever comes, signed in or not. */
  readonly playground?: true;
  /** There are no conversations: the developer's page is all there is. */
  readonly chat?: false;
}

const TEXT_LENGTH = 10_000; // the server's default

/** The configuration from its JSON; what is not given is as in production. */
export function readConfig(json: string | null | undefined): PageConfig {
  let found: unknown = null;
  try {
    found = JSON.parse(json ?? "{}");
  } catch {
    // as if there were nothing
  }
  const values = (typeof found === "object" && found !== null ? found : {}) as Record<string, unknown>;
  const text = (name: string) =>
    typeof values[name] === "string" && values[name] !== "" ? values[name] : undefined;
  const tokenUrl = text("token_url");
  const version = text("version");
  return {
    title: text("title") ?? "Hubbub",
    dev: values.dev === true,
    textLength: typeof values.text_length === "number" ? values.text_length : TEXT_LENGTH,
    ...(tokenUrl === undefined ? {} : { tokenUrl }),
    ...(version === undefined ? {} : { version }),
    ...(values.playground === true ? { playground: true } : {}),
    ...(values.chat === false ? { chat: false } : {}),
  };
}
