// How a Hubbub session's frames travel. Every transport is one function with the same shape:
//
//   open({ base, connect, receive, closed }) -> { send(text), close(code) }
//
//   base     URL of the server, ending in "/"
//   connect  the `connect` command that opens or resumes the session
//   receive  called with each text that arrives: one JSON object, or several separated by newlines
//   closed   called once when the link is down, unless we closed it ourselves: { code, reason }
//
// The client above (hubbub-client.js) does not know which one it is using, and may change it in mid-session.

const encode = (command) => JSON.stringify(command);

/** Open a native WebSocket. Frames are JSON text (subprotocol hubbub.v1.json). */
export function webSocket({ base, connect, receive, closed }) {
  const url = new URL("v1/ws", base);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, "hubbub.v1.json");
  socket.onopen = () => socket.send(encode(connect));
  socket.onmessage = (message) => receive(message.data);
  socket.onclose = ({ code, reason }) => closed({ code, reason });
  return {
    send: (text) => socket.send(text),
    close(code) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(code);
    },
  };
}

/** The same session where no WebSocket gets through: pushes as server-sent events, commands by POST. */
export const serverSentEvents = overHttp(async ({ request, stream, receive }) => {
  const response = await request(stream.events, { headers: { accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let unread = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the stream has ended");
    const events = (unread + value).split("\n\n");
    unread = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: "));
      receive(data.map((line) => line.slice(6)).join("\n"));
    }
  }
});

/** And where not even streams get through: a GET that waits for pushes, again and again. */
export const longPoll = overHttp(async ({ request, stream, receive }) => {
  for (let seen = ""; ; ) {
    const response = await request(`${stream.events}?ack=${seen}`);
    receive(await response.text());
    seen = response.headers.get("hubbub-next");
  }
});

/** `listen` receives pushes for as long as the session lasts; it never returns, but throws. */
function overHttp(listen) {
  return ({ base, connect, receive, closed }) => {
    const stop = new AbortController();
    const { signal } = stop;
    const unsent = [];
    let session = null; // the `connected` reply
    let sending = false;

    async function request(path, { headers, ...options } = {}) {
      const secret = { "hubbub-session-secret": session.secret };
      const url = new URL(path, base);
      const response = await fetch(url, { ...options, headers: { ...headers, ...secret }, cache: "no-store", signal });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      return response;
    }

    async function run() {
      const { type, id, ...opening } = connect;
      const url = new URL("v1/sessions", base);
      const response = await fetch(url, { method: "POST", body: encode(opening), signal });
      const reply = await response.json();
      if (response.ok) session = reply;
      receive(encode({ ...reply, type: response.ok ? "connected" : "error", id }));
      if (session) await listen({ request, stream: session.stream, receive });
    }

    // One request at a time, so that commands arrive in order; what gathers meanwhile goes together.
    async function send() {
      if (sending) return;
      sending = true;
      while (unsent.length) {
        const body = unsent.splice(0).join("\n");
        const response = await request(session.stream.commands, { method: "POST", body });
        receive(await response.text());
      }
      sending = false;
    }

    function fail(error) {
      if (signal.aborted) return;
      stop.abort();
      closed({ reason: error.message });
    }

    run().catch(fail);
    return {
      send(text) {
        unsent.push(text);
        send().catch(fail);
      },
      close(code) {
        if (code === 1000 && session) {
          const headers = { "hubbub-session-secret": session.secret };
          const url = new URL(`v1/sessions/${session.session}`, base);
          fetch(url, { method: "DELETE", headers, keepalive: true }).catch(() => {});
        }
        stop.abort();
      },
    };
  };
}

/** What a person can choose from. */
export const choices = {
  websocket: { label: "WebSocket", open: webSocket },
  sse: { label: "SSE + POST", open: serverSentEvents },
  poll: { label: "Long-poll + POST", open: longPoll },
};
