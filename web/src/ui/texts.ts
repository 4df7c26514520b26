import { define } from "../i18n/texts.ts";

export const texts = define("ui", {
  cancel: "Cancel",
  close: "Close",
  clear: "Clear",
  dismiss: "Dismiss",
  resize: "Resize {name}",
  online: "online",
  away: "away",
  offline: "offline",
});
