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

/** What a person can choose from. */
export const choices = {
  websocket: { label: "WebSocket", open: webSocket },
};
