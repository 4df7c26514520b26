import type { ConnectionState } from "../core/types.js";
import { useHubbub } from "./provider.js";
import { useView } from "./view.js";

const IDLE: ConnectionState = { status: "idle" };

/** Where the connection stands, to be shown: `connected`, `recovering` until `retryAt`, `offline`, `failed`, ... */
export function useConnection(): ConnectionState {
  return useView(useHubbub().connection, IDLE);
}
