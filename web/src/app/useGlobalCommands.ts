import { useChat, useView } from "hubbub/react";
import { useEffect } from "react";
import { useTexts } from "../i18n/index.ts";
import { change } from "../settings/store.ts";
import { type Command, handleKey, useCommands } from "./commands.ts";
import { openHelp, openPalette } from "./overlays.ts";
import { focusPart, rememberFocus } from "./parts.ts";
import { closePane, currentRoute, go } from "./router.ts";
import type { Route } from "./routes.ts";
import { texts } from "./texts.ts";

/** Commands that are always there, and the one listener for all shortcuts. */
export function useGlobalCommands(): void {
  const t = useTexts(texts);
  const office = useView(useChat().me)?.office ?? "none";

  useEffect(() => {
    document.addEventListener("keydown", handleKey);
    document.addEventListener("focusin", rememberFocus);
    return () => {
      document.removeEventListener("keydown", handleKey);
      document.removeEventListener("focusin", rememberFocus);
    };
  }, []);

  const to = (id: string, title: string, icon: Command["icon"], route: Route, keys?: string): Command => ({
    id: `go.${id}`,
    title,
    group: t("navigation"),
    ...(icon === undefined ? {} : { icon }),
    ...(keys === undefined ? {} : { keys: [keys] }),
    run: () => go(route),
  });
  const general = t("general");
  useCommands([
    {
      id: "palette",
      title: t("openPalette"),
      group: general,
      keys: ["Mod+K"],
      hidden: true,
      run: () => openPalette(),
    },
    {
      id: "palette.commands",
      title: t("palette"),
      group: general,
      keys: ["Mod+Shift+P"],
      hidden: true,
      run: () => openPalette(">"),
    },
    { id: "help", title: t("help"), group: general, icon: "help", keys: ["?"], run: openHelp },
    {
      id: "close",
      title: t("closeThis"),
      group: general,
      keys: ["Escape"],
      hidden: true,
      run: closeOpenPane,
    },
    {
      id: "part.next",
      title: t("focusNext"),
      group: general,
      keys: ["F6"],
      whileTyping: true,
      hidden: true,
      run: () => focusPart(1),
    },
    {
      id: "part.before",
      title: t("focusBefore"),
      group: general,
      keys: ["Shift+F6"],
      whileTyping: true,
      hidden: true,
      run: () => focusPart(-1),
    },
    to("home", t("goHome"), "list", { view: "home" }, "g h"),
    to("search", t("goSearch"), "search", { view: "search", query: "" }, "/"),
    to("threads", t("goThreads"), "thread", { view: "threads" }, "g t"),
    to("bookmarks", t("goBookmarks"), "bookmark", { view: "bookmarks" }, "g b"),
    to("reminders", t("goReminders"), "bell", { view: "reminders" }, "g r"),
    to("scheduled", t("goScheduled"), "clock", { view: "scheduled" }),
    to("settings", t("goSettings"), "gear", { view: "settings", section: "" }, "g s"),
    ...(office === "none"
      ? []
      : [to("moderation", t("goModeration"), "shield", { view: "moderation", rest: "" }, "g m")]),
    to("developer", t("goDeveloper"), "code", { view: "developer", rest: "" }, "g d"),
    {
      id: "theme.dark",
      title: t("themeDark"),
      group: general,
      icon: "moon",
      run: () => change({ theme: "dark" }),
    },
    {
      id: "theme.light",
      title: t("themeLight"),
      group: general,
      icon: "sun",
      run: () => change({ theme: "light" }),
    },
    {
      id: "theme.system",
      title: t("themeSystem"),
      group: general,
      icon: "gear",
      run: () => change({ theme: "system" }),
    },
  ]);
}

/** What Escape does where nothing nearer has used it: close what is beside the conversation. */
function closeOpenPane(): boolean {
  const route = currentRoute();
  const open = route.view === "conversation" && route.pane !== undefined;
  if (open) closePane();
  return open;
}
