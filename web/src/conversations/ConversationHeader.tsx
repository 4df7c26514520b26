export function ConversationHeader(_props: { conversation: string }) {
  return null;
}
