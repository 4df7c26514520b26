// A stock Socket.IO client. Only the events hubbub:... are Hubbub's: a room's history, and who is there.
const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8000";
const find = (selector) => document.querySelector(selector);
const [log, name, text] = ["#log", "#name", "#text"].map(find);
const people = new Set(), shown = new Set();
let room = "lobby", typed = 0, quiet;

const socket = io(server, {
  autoConnect: false,
  auth: (send) => send({ token: name.value.trim() }),
  retries: 3, // what is not acknowledged in time is sent again, in order
  ackTimeout: 5000,
});

socket.on("connect", () => {
  find("#inside").hidden = find("#drop").hidden = false;
  if (!find("#entrance").hidden) text.focus();
  find("#entrance").hidden = true;
  state("live", "connected");
  if (socket.recovered) note("You were away for a moment. Nothing was missed.");
  else enter(room); // a new socket is in no room
});
socket.on("disconnect", () => state("away", "reconnecting"));
socket.on("connect_error", ({ message }) => {
  state("away", socket.active ? "reconnecting" : "not connected");
  if (!socket.active) find("#refused").textContent = message; // the server said no
});
socket.on("message", show);
socket.on("typing", (who) => {
  find("#typing").textContent = `${who} is typing`;
  clearTimeout(quiet);
  quiet = setTimeout(() => find("#typing").replaceChildren(), 3000);
});
socket.on("hubbub:join", ({ member }) => list(people.add(member.user)));
socket.on("hubbub:leave", ({ member }) => list(people.delete(member.user)));

async function enter(next) {
  room = find("#room").textContent = next;
  find("section").ariaBusy = "true";
  for (const each of document.querySelectorAll("[data-room]")) each.ariaCurrent = each.dataset.room === next;
  if ((await ask("join", next)) === null) return;
  const channel = `chat:${next}`; // hubbub.toml says so
  const [past, there] = await Promise.all([ask("hubbub:history", { channel }), ask("hubbub:presence", { channel })]);
  if (room !== next || !past || !there) return; // on to another room, or away again
  [shown, people].forEach((each) => each.clear());
  log.replaceChildren();
  for (const { event, data } of past.result.publications) if (event === "message") show(data);
  for (const { user } of there.result.members) people.add(user);
  list();
  find("section").ariaBusy = "false";
}

async function ask(event, argument) {
  const answer = await socket.emitWithAck(event, argument).catch((error) => ({ error }));
  if (answer?.error) note(answer.error.message);
  return answer?.error ? null : answer;
}

function show({ id, from, text, time }) {
  if (shown.has(id)) return; // live and in the history, or sent again
  shown.add(id);
  find("#typing").replaceChildren();
  const at = new Date(time * 1000).toLocaleTimeString([], { timeStyle: "short" });
  write(from === name.value.trim() ? "own" : "", make("small", `${from}, ${at}`), make("span", text));
}
const note = (what) => write("note", make("span", what));
function write(className, ...parts) {
  log.appendChild(Object.assign(make("p", ""), { className })).append(...parts);
  log.scrollTop = log.scrollHeight;
}
const make = (tag, textContent) => Object.assign(document.createElement(tag), { textContent }); // never as HTML
const list = () => (find("#people").textContent = [...people].sort().join(", "));
const state = (is, words) => Object.assign(find("#status"), { textContent: words }).setAttribute("data-state", is);
const submit = (form, then) => (find(form).onsubmit = (event) => (event.preventDefault(), then()));

submit("#entrance", () => (find("#refused").replaceChildren(), socket.connect()));
submit("#composer", () => (ask("message", { id: crypto.randomUUID(), text: text.value }), (text.value = "")));
text.oninput = () => Date.now() - typed > 1000 && (socket.volatile.emit("typing"), (typed = Date.now()));
find("nav").onclick = ({ target }) => target.dataset.room && enter(target.dataset.room);
find("#drop").onclick = () => socket.io.engine.close(); // as if it had failed: the client comes back by itself
