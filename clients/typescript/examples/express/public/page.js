import { Hubbub } from "/hubbub/index.js";

const { url } = await (await fetch("/config.json")).json();

async function token() {
  const body = JSON.stringify({ user: "ada" });
  const response = await fetch("/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  return (await response.json()).token;
}

const hubbub = new Hubbub(url, { token });
const state = document.getElementById("state");
hubbub.connection.subscribe(() => {
  state.textContent = hubbub.connection.get().status;
});
hubbub.channel("orders:eu").subscribe(({ data }) => {
  const item = document.createElement("li");
  item.textContent = `${data.id}: ${data.state}`;
  document.getElementById("orders").append(item);
});
document.getElementById("pay").onclick = () => fetch("/orders/7/pay", { method: "POST" });
