// A session over a plain WebSocket, without an SDK. It comes back by itself and resumes; what was called and is not
// answered is called again, so writes have a key. `onLive(whole)`: unless it is whole, something is missing: sync.
export function connect({ url, token, onLive, onPublication, onState }) {
  const positions = {}, waiting = new Map(); // channel -> the last Position handed on; id -> a call without an answer
  let socket, session, beat, timer, heard, attempt = 0, id = 1, live = false, cut = false, ended = "";

  const send = (command) => socket.send(JSON.stringify(command));
  function open() {
    clearTimeout(timer);
    socket = new WebSocket(url, "hubbub.v1.json");
    socket.onopen = () => send({ type: "connect", id: 1, ...(session ? { resume: { ...session, positions } } : { token }) });
    socket.onmessage = ({ data }) => ((heard = Date.now()), data.split("\n").forEach((line) => take(JSON.parse(line))));
    socket.onclose = lost;
  }

  function take(message) {
    const { type, id, channel } = message;
    if (type === "connected") return entered(message);
    if (id === 1) return refused(message);
    const call = waiting.get(id);
    if (waiting.delete(id)) type === "error" ? call.reject(message) : call.resolve(message.result);
    else if (type === "publication") handOn(message);
    else if (type === "subscribed" && message.position) positions[channel] = message.position;
    else if (type === "disconnect" && !message.reconnect) ended = message.reason;
  }

  function entered({ resumed, subscriptions = [], ping_interval, ping_timeout, ...connected }) {
    session = { session: connected.session, secret: connected.secret };
    [live, attempt] = [true, 0];
    const interval = (ping_interval || 25) * 1000;
    beat = setInterval(() => { // the browser does not show us the server's own pings
      if (Date.now() - heard > interval + ping_timeout * 1000) lost();
      else send({ type: "ping", id: 0 });
    }, interval);
    let whole = resumed === true;
    for (const { channel, position, recovered, publications = [] } of subscriptions) {
      publications.forEach(handOn);
      if (position) positions[channel] = position;
      if (!recovered && !/^(status|cases):/.test(channel)) whole = false; // what these say is in no log
    }
    onState("live", "Live");
    for (const { command } of waiting.values()) send(command);
    onLive(whole);
  }

  function refused(error) {
    if (error.name === "session_gone") session = null; // away for too long: a new one
    else if (!error.temporary) ended = error.message;
    lost();
  }

  function handOn(publication) {
    const { channel, epoch, offset } = publication;
    if (offset && positions[channel]?.epoch === epoch && offset <= positions[channel].offset) return; // had it already
    if (offset) positions[channel] = { epoch, offset };
    onPublication(publication);
  }

  function lost() {
    clearInterval(beat);
    clearTimeout(timer);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    live = false;
    onState(ended ? "ended" : "away", ended || (cut ? "Offline" : "Reconnecting"));
    const wait = Math.min(15_000, 250 * 2 ** attempt++) * (0.5 + Math.random() / 2); // back-off with jitter
    if (!ended && !cut) timer = setTimeout(open, wait);
  }

  const ask = (what) =>
    new Promise((resolve, reject) => {
      const command = { ...what, id: ++id };
      waiting.set(id, { command, resolve, reject });
      if (live) send(command);
    });
  addEventListener("online", () => !live && !cut && !ended && (attempt = 0, lost()));
  open();
  const call = (method, params = {}, key = undefined) => ask({ type: "call", method, params, key });
  return { call, subscribe: (channel) => ask({ type: "subscribe", channel }), cut: (off) => ((cut = off), (attempt = 0), lost()) };
}
