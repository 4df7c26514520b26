import { define } from "../i18n/index.ts";

export const texts = define("developer", {
  title: "Developer",
  playground: "Open the playground",
  hint: "Two clients side by side on channels, with their frames, their presence, and a network that can be dropped.",
  off: "This is for development servers",
  offHint: "Start one by hubbub serve --dev.",
});
