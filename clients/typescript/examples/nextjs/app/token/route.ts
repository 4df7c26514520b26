import type { NextRequest } from "next/server";
import { hubbub } from "../hubbub";

/** A token for whoever is signed in. Here that is anybody, by any name: put your own check in its place. */
export async function POST(request: NextRequest): Promise<Response> {
  const user = request.nextUrl.searchParams.get("user");
  if (!user) return new Response(null, { status: 401 });
  return Response.json({ token: await hubbub.token(user, { ttl: 3600 }) });
}
