// A session over long-polls, for networks that let neither WebSocket nor streams through. Commands go by POST.
//   const { command } = await poll({ server, token: "eyJ...", onPush }); await command({ type: "subscribe", ... });

export async function poll({ server, token, onPush, signal }) {
  const json = { "Content-Type": "application/json" };
  const opened = await fetch(`${server}/v1/sessions`, {
    method: "POST", headers: { ...json, Authorization: `Bearer ${token}` }, signal,
  });
  const connected = await opened.json();
  if (!opened.ok) throw new Error(connected.message);
  const headers = { ...json, "Hubbub-Session-Secret": connected.secret };
  const address = (path) => new URL(path, server);
  let id = 1;

  async function command(body) {
    const answer = await fetch(address(connected.stream.commands), {
      method: "POST", headers, signal, body: JSON.stringify({ ...body, id: id++ }),
    });
    return JSON.parse((await answer.text()).trim()); // one reply a line; we sent one command
  }

  async function receive() {
    let seen = 0; // the number of the last push that we have: saying it lets the server forget it
    for (let failures = 0; !signal?.aborted; ) {
      try {
        const answer = await fetch(`${address(connected.stream.events)}?ack=${seen}`, { headers, signal });
        if (answer.status === 410) return onPush({ type: "gone" }); // open anew, with `resume` and positions
        if (!answer.ok) throw new Error(answer.status);
        const lines = (await answer.text()).split("\n").filter(Boolean);
        for (const line of lines) onPush(JSON.parse(line)); // numbered: a repeated poll repeats, and never skips
        seen = Number(answer.headers.get("Hubbub-Next") ?? seen);
        failures = 0;
      } catch (error) {
        if (signal?.aborted) return;
        await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 250 * 2 ** failures++)));
      }
    }
  }

  receive();
  return { connected, command };
}
