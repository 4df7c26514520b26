// A backend of Hubbub on Express: it says who its users are, publishes, and receives webhooks.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import express from "express";
import { HubbubServer, verifyWebhook, WebhookError } from "hubbub/server";

const { HUBBUB_URL, HUBBUB_API_KEY, HUBBUB_TOKEN_SECRET, HUBBUB_WEBHOOK_SECRET, PORT = "3000" } = process.env;
const hubbub = new HubbubServer(HUBBUB_URL, { apiKey: HUBBUB_API_KEY, tokenSecret: HUBBUB_TOKEN_SECRET });
const app = express();
const orders = new Map();
const seen = new Set(); // ids of webhooks; in a database, if they must not be handled twice after a restart

app.use(express.static("public"));
app.use("/hubbub", express.static(dirname(fileURLToPath(import.meta.resolve("hubbub")))));
app.get("/config.json", (_request, response) => response.json({ url: HUBBUB_URL }));

// Whoever is signed in gets a token. Here that is anybody, by any name: put your own check in its place.
app.post("/token", express.json(), async (request, response) => {
  const user = request.body?.user;
  if (typeof user !== "string" || user === "") return response.status(401).end();
  const channels = { "orders:*": ["subscribe", "history"] };
  response.json({ token: await hubbub.token(user, { ttl: 3600, channels }) });
});

app.post("/orders/:id/pay", async (request, response) => {
  const order = { id: request.params.id, state: "paid" };
  orders.set(order.id, order);
  await hubbub.publish("orders:eu", "order.updated", order); // repeated by itself if need be, and accepted once
  response.json(order);
});

// The body is needed as it came: what is parsed and written again has another signature.
app.post("/webhooks/hubbub", express.raw({ type: "*/*" }), async (request, response) => {
  const { id, payload } = await verifyWebhook(request.body, request.headers, HUBBUB_WEBHOOK_SECRET);
  if (!seen.has(id)) {
    seen.add(id);
    console.log("webhook", id, JSON.stringify(payload));
  }
  response.status(204).end();
});

app.use((error, _request, response, _next) => {
  if (!(error instanceof WebhookError)) console.error(error);
  response.status(error instanceof WebhookError ? 401 : 500).json({ error: error.message });
});

const listener = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${listener.address().port}`);
});
