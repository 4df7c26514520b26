import "./styles/tokens.css";
import "./styles/base.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App.tsx";
import { startSession } from "./app/session.ts";
import { startSettings } from "./settings/store.ts";

// A chunk that is not there any more: another version was deployed since. The page comes anew, once.
addEventListener("vite:preloadError", () => {
  if (sessionStorage.getItem("hubbub:reloaded") === location.href) return;
  sessionStorage.setItem("hubbub:reloaded", location.href);
  location.reload();
});

startSettings();
startSession();

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
