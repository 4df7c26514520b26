import "server-only";
import { HubbubServer } from "hubbub/server";

/** The server API: the keys stay on this side. */
export const hubbub = new HubbubServer(process.env.HUBBUB_URL ?? "http://127.0.0.1:8000", {
  apiKey: process.env.HUBBUB_API_KEY,
  tokenSecret: process.env.HUBBUB_TOKEN_SECRET,
});
