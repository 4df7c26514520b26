import type { ConnectionState } from "../core/types.js";
import { useHubbub } from "./provider.js";
import { useView } from "./view.js";

const IDLE: ConnectionState = Object.freeze({ status: "idle" });
const idle = () => IDLE;

/** Where the connection stands, to be shown: `connected`, `recovering` until `retryAt`, `offline`, `failed`, ... */
export function useConnection(): ConnectionState {
  return useView(useHubbub().connection, idle);
}
