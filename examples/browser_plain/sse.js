// Channels by EventSource: one way, no SDK. The browser reconnects by itself, but a ticket works once, so we open again
// with a fresh ticket and the cursor of the last event.
//   follow({ server: "https://rt.example.com", token: async () => "eyJ...", channels: ["lobby"], onEvent, onGap });

export function follow({ server, token, channels, onEvent, onGap = () => {} }) {
  let source, cursor = "", attempt = 0, closed = false;
  const since = {}; // channel -> offset of the last publication handed on

  async function open() {
    const answer = await fetch(`${server}/v1/tickets`, {
      method: "POST",
      headers: { Authorization: `Bearer ${await token()}`, "Content-Type": "application/json" },
      body: JSON.stringify({ channels }),
    });
    if (!answer.ok) throw new Error((await answer.json()).message);
    const query = new URLSearchParams(channels.map((channel) => ["channel", channel]));
    query.set("ticket", (await answer.json()).ticket);
    if (cursor) query.set("last_event_id", cursor);
    source = new EventSource(`${server}/v1/sse?${query}`);
    source.onmessage = ({ data, lastEventId }) => {
      attempt = 0;
      take(JSON.parse(data));
      cursor = lastEventId || cursor;
    };
    source.onerror = again;
  }

  function take(message) {
    if (message.type === "subscribed" && cursor && message.recoverable && !message.recovered) {
      delete since[message.channel]; // another epoch, or too long ago
      onGap(message.channel);
    } else if (message.type === "publication") {
      if (message.offset && message.offset <= (since[message.channel] ?? 0)) return;
      if (message.offset) since[message.channel] = message.offset;
      onEvent(message);
    }
  }

  function again() {
    source?.close();
    if (!closed) setTimeout(() => open().catch(again), Math.min(30_000, 250 * 2 ** attempt++) * (0.5 + Math.random() / 2));
  }

  open().catch(again);
  return { drop: again, close: () => { closed = true; source?.close(); } };
}
