import { connection } from "next/server";
import { hubbub } from "./hubbub.js";
import { Room } from "./room.js";

/** The server finds the conversation, or makes it; the browser follows it. */
export default async function Page({ searchParams }: { searchParams: Promise<{ user?: string }> }) {
  await connection();
  const { user = "guest" } = await searchParams;
  await hubbub.chat.users.upsert({ user: "support", name: "Support", kind: "service" });
  await hubbub.chat.users.upsert({ user, name: user });
  const direct = await hubbub.as(user).chat.conversations.direct({ user: "support" });
  const url = process.env.HUBBUB_URL ?? "http://127.0.0.1:8000";
  return <Room url={url} user={user} conversation={direct.conversation.conversation.id} />;
}
