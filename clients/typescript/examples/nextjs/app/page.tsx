import { connection } from "next/server";
import { hubbub } from "./hubbub";
import { Room } from "./room";

interface PageProps {
  searchParams: Promise<{ user?: string; peer?: string }>;
}

/** The server finds the conversation of the two, or makes it; the browser follows it. */
export default async function Page({ searchParams }: PageProps) {
  await connection();
  const { user = "guest", peer = "support" } = await searchParams;
  await Promise.all([user, peer].map((id) => hubbub.chat.users.upsert({ user: id })));
  const direct = await hubbub.as(user).chat.conversations.direct({ user: peer });
  const url = process.env.HUBBUB_URL ?? "http://127.0.0.1:8000";
  return <Room url={url} user={user} conversation={direct.conversation.conversation.id} />;
}
