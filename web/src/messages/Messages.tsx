import { EmptyState } from "../ui/index.ts";

export interface MessagesProps {
  conversation: string;
  /** The seq of a root: its replies instead of the main timeline. */
  thread?: number;
  /** The seq of a message to go to and point out. */
  jump?: number;
}

/** The messages of a conversation or of a thread. */
export function Messages({ conversation }: MessagesProps) {
  return <EmptyState icon="thread" title={conversation} />;
}
