// A chat on Socket.IO as one writes it: each message is a transaction that is awaited, then emitted, then acknowledged.
// WebSocket only, no compression; `pg` with a pool, or better-sqlite3, which is synchronous as all of SQLite in Node is.
// Durable as Hubbub is: WAL with synchronous=FULL, PostgreSQL with synchronous_commit. Nobody is verified, no limits are
// kept, no keys remembered. Usage: node chat.js PORT DATABASE_URL PLAN
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Server } from "socket.io";

const [port, url, path] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(path, "utf-8"));

const SCHEMA = `
CREATE TABLE conversations (id TEXT PRIMARY KEY, head BIGINT NOT NULL, last_activity DOUBLE PRECISION NOT NULL);
CREATE TABLE members (conversation TEXT NOT NULL, user_id TEXT NOT NULL, role TEXT NOT NULL, read BIGINT NOT NULL,
  PRIMARY KEY (conversation, user_id));
CREATE INDEX members_user ON members (user_id);
CREATE TABLE messages (conversation TEXT NOT NULL, seq BIGINT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,
  created DOUBLE PRECISION NOT NULL, PRIMARY KEY (conversation, seq));`;
const NEXT = "UPDATE conversations SET head = head + 1, last_activity = $1 WHERE id = $2 RETURNING head";
const MEMBER = "SELECT role FROM members WHERE conversation = $1 AND user_id = $2";
const INSERT = "INSERT INTO messages (conversation, seq, sender, body, created) VALUES ($1, $2, $3, $4, $5)";
const READ = "UPDATE members SET read = $1 WHERE conversation = $2 AND user_id = $3";
const ROOMS = "SELECT conversation FROM members WHERE user_id = $1";
const POOL = 10; // connections to PostgreSQL: the default of `pg`

class NotAMember extends Error {}

// One connection; a transaction blocks the loop until it is on disk.
function sqlite() {
  const Database = createRequire(new URL("../node_sqlite/", import.meta.url))("better-sqlite3");
  const database = new Database(url.replace("sqlite:///", ""));
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec(SCHEMA);
  const prepare = (text) => database.prepare(text.replace(/\$\d/g, "?"));
  const [next, member, insert, read, rooms] = [NEXT, MEMBER, INSERT, READ, ROOMS].map(prepare);
  database.transaction(() => {
    const conversation = prepare("INSERT INTO conversations VALUES ($1, 0, 0)");
    const person = prepare("INSERT INTO members VALUES ($1, $2, 'member', 0)");
    for (const room of plan.rooms) {
      conversation.run(room.id);
      for (const user of room.members) person.run(room.id, user);
    }
  })();
  const append = database.transaction((conversation, sender, body, now) => {
    if (member.get(conversation, sender) === undefined) throw new NotAMember();
    const { head } = next.get(now, conversation);
    insert.run(conversation, head, sender, body, now);
    read.run(head, conversation, sender);
    return head;
  });
  return {
    rooms: async (user) => rooms.all(user).map((row) => row.conversation),
    append: async (...message) => append.immediate(...message),
  };
}

// A pool; the conversation's row is what orders its messages. Statements are prepared once a connection.
async function postgres() {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({ connectionString: url, min: POOL, max: POOL });
  await pool.query(SCHEMA);
  for (const room of plan.rooms) {
    await pool.query("INSERT INTO conversations VALUES ($1, 0, 0)", [room.id]);
    for (const user of room.members) await pool.query("INSERT INTO members VALUES ($1, $2, 'member', 0)", [room.id, user]);
  }
  const run = (client, name, text, values) => client.query({ name, text, values });
  return {
    rooms: async (user) => (await pool.query(ROOMS, [user])).rows.map((row) => row.conversation),
    append: async (conversation, sender, body, now) => {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        const found = await run(client, "member", MEMBER, [conversation, sender]);
        if (!found.rowCount) throw new NotAMember();
        const seq = Number((await run(client, "next", NEXT, [now, conversation])).rows[0].head);
        await run(client, "insert", INSERT, [conversation, seq, sender, body, now]);
        await run(client, "read", READ, [seq, conversation, sender]);
        await client.query("COMMIT");
        return seq;
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      } finally {
        client.release();
      }
    },
  };
}

const store = url.startsWith("sqlite:") ? sqlite() : await postgres();
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});

io.use(async (socket, next) => {
  socket.data.user = socket.handshake.auth.user;
  socket.join(await store.rooms(socket.data.user));
  next();
});

io.on("connection", (socket) => {
  socket.on("send", async ({ conversation, text }, ack) => {
    const [sender, created] = [socket.data.user, Date.now() / 1000];
    try {
      const seq = await store.append(conversation, sender, text, created);
      const message = { conversation, sender, text, created, seq };
      io.to(conversation).emit("message", message);
      ack(message);
    } catch (error) {
      ack({ error: error instanceof NotAMember ? "not a member" : String(error) });
    }
  });
});

http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
