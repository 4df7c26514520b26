"use client";

import { Hubbub } from "hubbub";
import { Chat } from "hubbub/chat";
import { HubbubProvider, useChat, useChatState, useMessages, useTyping } from "hubbub/react";
import { useState } from "react";

interface RoomProps {
  url: string;
  user: string;
  conversation: string;
}

export function Room({ url, user, conversation }: RoomProps) {
  const [{ client, chat }] = useState(() => {
    const client = new Hubbub(url, { token: () => fetchToken(user) });
    return { client, chat: new Chat(client) };
  });
  return (
    <HubbubProvider client={client} chat={chat}>
      <Messages conversation={conversation} />
      <Composer conversation={conversation} />
    </HubbubProvider>
  );
}

async function fetchToken(user: string): Promise<string> {
  const response = await fetch(`/token?user=${encodeURIComponent(user)}`, { method: "POST" });
  const { token } = (await response.json()) as { token: string };
  return token;
}

function Messages({ conversation }: { conversation: string }) {
  const { items, atStart, loadBefore } = useMessages(conversation);
  const { status } = useChatState();
  return (
    <main>
      <p role="status">{status}</p>
      {!atStart && (
        <button type="button" onClick={loadBefore}>
          Older
        </button>
      )}
      {items.map(({ key, message, status }) => (
        <p key={key} data-status={status}>
          <b>{message.sender}</b>{" "}
          {message.parts?.map((part) => ("text" in part && typeof part.text === "string" ? part.text : null))}
        </p>
      ))}
    </main>
  );
}

function Composer({ conversation }: { conversation: string }) {
  const chat = useChat();
  const typing = useTyping(conversation);
  const [text, setText] = useState("");
  function send() {
    chat.send(conversation, { text }); // shown at once, sent when there is a connection, once
    setText("");
  }
  return (
    <form action={send}>
      <input
        aria-label="Message"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          typing.start();
        }}
      />
      <button type="submit">Send</button> {typing.users.length > 0 && `${typing.users.join(", ")} types`}
    </form>
  );
}
