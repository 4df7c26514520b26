// A Hubbub session over a plain WebSocket, without an SDK: comes back by itself, resumes, hands on each publication once.
//   live({ url, token: async () => "eyJ...", channels: ["orders:eu"], onEvent, onState });
// onEvent gets publications, joins and leaves; onState gets "live", "away", "gap" (publications of a channel are lost:
// read its state afresh from your backend) and "ended" (the server does not want us back), each with a detail.

export function live({ url, token, channels, onEvent, onState = () => {} }) {
  const seen = {}; // channel -> Position of the last publication handed on
  let socket, session, beat, heard, attempt = 0, ended = false;

  const send = (command) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(command));

  async function open() {
    const fresh = session ? null : await token();
    socket = new WebSocket(url, "hubbub.v1.json");
    socket.onopen = () =>
      send({ type: "connect", id: 1, ...(session ? { resume: { ...session, positions: seen } } : { token: fresh }) });
    socket.onmessage = ({ data }) => {
      heard = Date.now();
      for (const line of data.split("\n")) take(JSON.parse(line));
    };
    socket.onclose = ({ code }) => away(code);
  }

  function take(message) {
    if (message.type === "connected") {
      session = { session: message.session, secret: message.secret };
      attempt = 0;
      heartbeat((message.ping_interval || 25) * 1000, message.ping_timeout * 1000);
      for (const each of message.subscriptions ?? []) caughtUp(each); // of a resume
      const entered = new Set((message.subscriptions ?? []).map((each) => each.channel));
      channels.forEach((channel, n) => {
        if (!entered.has(channel)) send({ type: "subscribe", id: 2 + n, channel, since: seen[channel] ?? null });
      });
      onState("live", message.resumed ? "resumed" : "new session");
    } else if (message.type === "subscribed") caughtUp(message);
    else if (message.type === "publication") handOn(message);
    else if (message.type === "join" || message.type === "leave") onEvent(message);
    else if (message.type === "disconnect") ended = !message.reconnect;
    else if (message.type === "error" && message.id === 1 && message.name === "session_gone") {
      session = null; // away for longer than the resume window: a new session, with the positions that we have
      socket.close();
    } else if (message.type === "error") onState("error", message);
  }

  function caughtUp({ channel, position, recoverable, recovered, publications = [] }) {
    if (seen[channel] && recoverable && !recovered) onState("gap", channel);
    publications.forEach(handOn);
    if (position) seen[channel] = position;
  }

  function handOn(publication) {
    const { channel, epoch, offset } = publication;
    const last = seen[channel];
    if (offset && last?.epoch === epoch && offset <= last.offset) return; // had it already
    if (offset) seen[channel] = { epoch, offset };
    onEvent(publication);
  }

  function heartbeat(interval, timeout) { // the browser does not show us the server's own pings
    clearInterval(beat);
    beat = setInterval(() => {
      if (Date.now() - heard > interval + timeout) away("silence");
      else send({ type: "ping", id: 0 });
    }, interval);
  }

  function away(why) {
    clearInterval(beat);
    socket.onmessage = socket.onclose = null;
    socket.close();
    if (ended) return onState("ended", why);
    onState("away", why);
    const delay = Math.min(30_000, 250 * 2 ** attempt++) * (0.5 + Math.random() / 2); // back-off with jitter
    setTimeout(() => open().catch(away), delay);
  }

  open().catch(away);
  return { send, drop: () => away("dropped") };
}
