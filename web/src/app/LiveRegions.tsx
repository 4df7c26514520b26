import { useSyncExternalStore } from "react";
import { announced, onAnnounced } from "./announce.ts";

/** Where what is announced is put for screen readers; one for the app. */
export function LiveRegions() {
  const { polite, assertive } = useSyncExternalStore(onAnnounced, announced, announced);
  return (
    <div className="visually-hidden">
      <p role="status">{polite}</p>
      <p role="alert">{assertive}</p>
    </div>
  );
}
