import "./styles/tokens.css";
import "./styles/base.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App.tsx";
import { startSession } from "./app/session.ts";
import { startSettings } from "./settings/store.ts";

// A part that is not there any more: another version was deployed since. The page comes anew, once; but not where it
// is the network that is missing, for then nothing would come.
addEventListener("vite:preloadError", async () => {
  if (sessionStorage.getItem("hubbub:reloaded") === location.href) return;
  const there = await fetch("./", { method: "HEAD", cache: "no-store" }).catch(() => undefined);
  if (there?.ok !== true) return;
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
