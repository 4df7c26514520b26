/** The page itself: where it is, and what the server has written into it. */

import { type PageConfig, readConfig } from "./config.ts";

/** The address of the server, with a slash at its end: the page's own. */
export const BASE = new URL("./", document.baseURI).href.replace(/[?#].*$/, "");

export const page: PageConfig = readConfig(
  document.querySelector<HTMLMetaElement>('meta[name="hubbub"]')?.content ?? null,
);
