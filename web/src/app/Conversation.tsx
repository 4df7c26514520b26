import { useChatState, useConversation } from "hubbub/react";
import { memo } from "react";
import { Composer } from "../composer/Composer.tsx";
import { ConversationHeader, UnknownConversation } from "../conversations/ConversationHeader.tsx";
import { Messages } from "../messages/Messages.tsx";
import { Loading } from "./Loading.tsx";

// Each of them follows what it shows; what is new for one is no reason to render all.
const Head = memo(ConversationHeader);
const List = memo(Messages);
const Writing = memo(Composer);

/** A conversation that is open: its head, its messages, and where one writes. */
export default function Conversation({ id, message }: { id: string; message: number | undefined }) {
  const view = useConversation(id);
  const { status } = useChatState();
  if (view === undefined && status !== "live") return <Loading />;
  return (
    <>
      <Head conversation={id} />
      {view === undefined ? (
        <UnknownConversation />
      ) : (
        <>
          <List key={id} conversation={id} {...(message === undefined ? {} : { jump: message })} />
          <Writing key={`composer ${id}`} conversation={id} />
        </>
      )}
    </>
  );
}
