// The page: two clients, the channel that both are in, and what the server says of itself.

import { element } from "./dom.js";
import { Pane } from "./pane.js";

const HEALTH_EVERY = 5_000;
const base = new URL("./", document.baseURI).href;
const find = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 760px)");

async function token(user) {
  const response = await fetch(new URL("dev/token", base), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user }),
  });
  if (!response.ok) throw new Error(`no token: the server answered ${response.status}`);
  return (await response.json()).token;
}

// --- the two clients --------------------------------------------------------------------------------------

const panes = [];
const tabs = [];
let selected = 0;

function addClient(user) {
  const at = panes.length;
  const root = find("client-template").content.firstElementChild.cloneNode(true);
  root.id = `client-${at}`;
  const name = element("span", "tab-name");
  const count = element("span");
  const badge = element("span", "badge", count, element("span", "hidden", " new"));
  const tab = element("button", "tab", element("span", "dot"), name, badge);
  tab.type = "button";
  tab.id = `tab-${at}`;
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", root.id);
  tab.onclick = () => select(at);
  find("tabs").append(tab);
  find("clients").append(root);
  tabs.push(tab);
  const changed = (pane, { version }) => {
    if (version) find("version").textContent = `v${version}`;
    name.textContent = pane.user;
    tab.dataset.tone = pane.tone;
    if (!narrow.matches || at === selected) pane.unread = 0;
    count.textContent = pane.unread;
    badge.hidden = !pane.unread;
  };
  panes.push(new Pane(root, { base, user, channel: find("channel").value, token, changed }));
}

/** On a narrow screen one client is seen at a time, and the two are tabs; otherwise both are. */
function select(at) {
  selected = at;
  for (const [index, { root }] of panes.entries()) {
    const chosen = index === selected;
    tabs[index].setAttribute("aria-selected", chosen);
    tabs[index].tabIndex = chosen ? 0 : -1;
    root.hidden = narrow.matches && !chosen;
    if (narrow.matches) root.setAttribute("role", "tabpanel");
    else root.removeAttribute("role");
    if (chosen) {
      panes[index].unread = 0;
      tabs[index].querySelector(".badge").hidden = true;
    }
  }
}

find("tabs").onkeydown = ({ key }) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (!step) return;
  select((selected + step + panes.length) % panes.length);
  tabs[selected].focus();
};
narrow.onchange = () => select(selected);

// --- the channel and the command line ---------------------------------------------------------------------

function changeChannel() {
  const input = find("channel");
  if (!input.reportValidity() || input.value === changeChannel.last) return;
  changeChannel.last = input.value;
  for (const pane of panes) pane.channel = input.value;
  drawCommand();
}

find("channel").onchange = changeChannel;
find("channel-form").onsubmit = (event) => {
  event.preventDefault();
  changeChannel();
};

function drawCommand() {
  // A channel's characters need no quoting in a shell or in JSON; the form takes no others.
  const body = `{"channel": "${find("channel").value}", "data": {"text": "Hello from curl"}}`;
  find("curl").textContent =
    `curl ${base}v1/publish -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' -d '${body}'`;
}

find("copy").onclick = async () => {
  const copy = find("copy");
  try {
    await navigator.clipboard.writeText(find("curl").textContent);
    copy.textContent = "Copied";
    find("announcer").textContent = "Command copied";
  } catch {
    getSelection().selectAllChildren(find("curl"));
    copy.textContent = "Selected";
  }
  setTimeout(() => (copy.textContent = "Copy"), 2_000);
};

// --- the server's health ----------------------------------------------------------------------------------

async function checkHealth() {
  let health = "down";
  try {
    const response = await fetch(new URL("health/ready", base), { cache: "no-store" });
    health = response.ok ? "ready" : "unready";
  } catch {
    // It cannot be reached: that is the answer.
  }
  const text = { ready: "Ready", unready: "Not ready", down: "Unreachable" }[health];
  find("health").dataset.health = health;
  if (find("health-text").textContent !== text) find("health-text").textContent = text;
  setTimeout(checkHealth, HEALTH_EVERY);
}

// --- light and dark ---------------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];

function drawTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  find("theme-name").textContent = theme;
  find("theme").setAttribute("aria-label", `Theme: ${theme}`);
}

find("theme").onclick = () => {
  const { dataset } = document.documentElement;
  const next = THEMES[(THEMES.indexOf(dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") {
    delete dataset.theme;
    localStorage.removeItem("hubbub-theme");
  } else {
    dataset.theme = next;
    localStorage.setItem("hubbub-theme", next);
  }
  drawTheme();
};

drawTheme();
changeChannel.last = find("channel").value;
find("tries").open = !narrow.matches;
addClient("alice");
addClient("bob");
select(0);
drawCommand();
checkHealth();
