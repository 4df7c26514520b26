import { useChat, useConnection, useConversations, useMessages } from "hubbub/react";

/** Ten lines of chat. */
function Conversation({ id }: { id: string }) {
  const chat = useChat();
  const { items } = useMessages(id);
  return (
    <form action={(form) => void chat.send(id, { text: String(form.get("text")) })}>
      {items.map(({ key, message }) => (
        <p
          key={key}
        >{`${message.sender}: ${message.parts?.map((part) => ("text" in part ? part.text : "")).join("")}`}</p>
      ))}
      <input name="text" aria-label="Message" />
    </form>
  );
}

export function App() {
  const chat = useChat();
  const connection = useConnection();
  const [first] = useConversations();
  const begin = () => chat.call("conversations.create", { kind: "group", name: "Release", members: [] });
  if (first) return <Conversation id={first.conversation.id} />;
  if (connection.status !== "connected") {
    return <p>{"reason" in connection ? `${connection.status}: ${connection.reason}` : connection.status}</p>;
  }
  return (
    <button type="button" onClick={begin}>
      Begin a conversation
    </button>
  );
}
