import "./styles/tokens.css";
import "./styles/base.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App.tsx";
import { warmUp } from "./app/idle.ts";
import { startSession } from "./app/session.ts";
import { formatDay, formatRelative } from "./i18n/index.ts";
import { startSettings } from "./settings/store.ts";

startSettings();
startSession();
const DAYS = [0, 1, 3, 30, 400];
const now = Date.now() / 1000;
void warmUp(
  ...DAYS.flatMap((ago) => [formatRelative, formatDay].map((format) => () => format(now - ago * 86_400))),
);

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
