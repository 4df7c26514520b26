// Files: sent in pieces, so that a lost connection costs one of them (tus 1.0.0), and shown by URLs that hold for a while.
import { call, server } from "./asking.js";
import { draw } from "./desk.js";
import { known } from "./model.js";

const PIECE = 1024 * 1024;
const pause = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));
const urls = new Map(); // of pictures, by `file/thumbnail`

/** Its id, once the server has all of it and has looked at it. `progress` is told what part of it is there. */
export async function upload(file, progress) {
  const created = await call("files.create", { name: file.name, size: file.size }, crypto.randomUUID());
  const { id } = created.file;
  for (let at = 0; at < file.size; progress(at / file.size)) at = await piece(created.upload, file, at);
  for (let now = created.file; now.state !== "ready"; now = await call("files.get", { file: id })) {
    if (now.state === "refused") throw new Error(now.reason);
    await pause(100);
  }
  return id;
}

/** Send the piece at `at`; where the next one begins. Whatever becomes of it, the server knows how far it is. */
async function piece(path, file, at) {
  const headers = { Authorization: `Bearer ${known.me}`, "Tus-Resumable": "1.0.0" };
  const next = { ...headers, "Upload-Offset": at, "Content-Type": "application/offset+octet-stream" };
  for (let attempt = 0; ; attempt++) {
    try {
      const there = attempt
        ? await fetch(server + path, { method: "HEAD", headers })
        : await fetch(server + path, { method: "PATCH", headers: next, body: file.slice(at, at + PIECE) });
      if (there.ok) return Number(there.headers.get("Upload-Offset"));
      const { message } = attempt ? {} : await there.json();
      throw Object.assign(new Error(message ?? "The upload is gone."), { final: there.status < 500 });
    } catch (error) {
      if (error.final || attempt > 9) throw error;
    }
    await pause(Math.min(5000, 250 * 2 ** attempt));
  }
}

/** The URL of a picture; asked for, and drawn again, if it is not known yet. */
export function picture(file, thumbnail) {
  const name = `${file}/${thumbnail}`;
  const { url, expires } = urls.get(name) ?? {};
  if (url && expires * 1000 > Date.now()) return server + url;
  if (!urls.has(name) || url) {
    urls.set(name, {});
    call("files.url", { file, thumbnail }).then((signed) => (urls.set(name, signed), draw())).catch(() => {});
  }
}

export async function download(file) {
  location.assign(server + (await call("files.url", { file, download: true })).url); // the page stays
}

export const size = (bytes) =>
  bytes < 1000 ? `${bytes} bytes` : bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
