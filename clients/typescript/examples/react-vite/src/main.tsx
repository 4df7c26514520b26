import { Hubbub } from "hubbub";
import { Chat } from "hubbub/chat";
import { HubbubProvider } from "hubbub/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";

const user = new URLSearchParams(location.search).get("user") ?? "ada";

/** `hubbub serve --dev` makes tokens for anybody. In production your backend does, for whoever is signed in. */
async function token(): Promise<string> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user }),
  };
  return (await (await fetch("/dev/token", init)).json()).token;
}

const client = new Hubbub("/", { token });
const chat = new Chat(client);

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <HubbubProvider client={client} chat={chat}>
      <App />
    </HubbubProvider>
  </StrictMode>,
);
