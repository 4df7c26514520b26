import { useChatState, useConversation } from "hubbub/react";
import { Composer } from "../composer/Composer.tsx";
import { ConversationHeader, UnknownConversation } from "../conversations/ConversationHeader.tsx";
import { Messages } from "../messages/Messages.tsx";
import { Loading } from "./Loading.tsx";

/** A conversation that is open: its head, its messages, and where one writes. */
export default function Conversation({ id, message }: { id: string; message: number | undefined }) {
  const view = useConversation(id);
  const { status } = useChatState();
  if (view === undefined && status !== "live") return <Loading />;
  return (
    <>
      <ConversationHeader conversation={id} />
      {view === undefined ? (
        <UnknownConversation />
      ) : (
        <>
          <Messages key={id} conversation={id} {...(message === undefined ? {} : { jump: message })} />
          <Composer key={`composer ${id}`} conversation={id} />
        </>
      )}
    </>
  );
}
