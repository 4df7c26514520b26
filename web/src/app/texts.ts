import { define } from "../i18n/index.ts";

export const texts = define("app", {
  skip: "Skip to the conversation",
  loading: "Loading",
  back: "Back",
  home: "Choose a conversation",
  homeHint: "Or press {keys} to go to any of them.",
  broken: "This part of the app has failed",
  brokenHint: "What you have written is kept. The rest of the app goes on.",
  tryAgain: "Try again",
  sidebar: "Conversations",
  pane: "Details",
});
