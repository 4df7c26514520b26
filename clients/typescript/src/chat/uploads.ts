import { HubbubError, type WireError } from "../core/errors.js";
import { Cell, type View } from "../core/view.js";
import type { File as StoredFile } from "../generated/chat.js";
import { type Context, isFinal } from "./context.js";

/** How far an upload has come, in bytes. `checking`: the server has all of it, and looks at it. */
export interface UploadState {
  readonly status: "uploading" | "checking" | "done" | "failed" | "aborted";
  readonly sent: number;
  readonly total: number;
  readonly file?: StoredFile;
  readonly error?: HubbubError;
}

export interface UploadOptions {
  /** Default: the `name` of a File, or "file". */
  readonly name?: string;
  readonly onProgress?: (sent: number, total: number) => void;
  /** Gives the upload up. */
  readonly signal?: AbortSignal;
}

export interface Upload {
  readonly state: View<UploadState>;
  /** The file, ready to be sent by its `id`. Rejects with a HubbubError, or the signal's reason. */
  readonly done: Promise<StoredFile>;
  /** Give it up. */
  abort(): void;
}

/** Bytes up to which a file is sent in one request, and those of one piece of a larger one. */
const SMALL = 5 * 1024 * 1024;
const PIECE = 1024 * 1024;
/** Milliseconds after which it is tried again, at first and at most. */
const PAUSE = 500;
const LONGEST = 20_000;
const TUS = { "Tus-Resumable": "1.0.0" };

/** Send a file: a small one at once, a large one in pieces (tus 1.0.0), which goes on after a drop where it was. */
export function upload(context: Context, blob: Blob, options: UploadOptions = {}): Upload {
  const control = new AbortController();
  const { signal, onProgress } = options;
  const total = blob.size;
  const state = new Cell<UploadState>({ status: "uploading", sent: 0, total });
  const progress = (sent: number): void => {
    state.set({ status: sent < total ? "uploading" : "checking", sent, total });
    onProgress?.(sent, total);
  };
  const give = () => control.abort(signal?.reason);
  if (signal?.aborted) give();
  else signal?.addEventListener("abort", give, { once: true });

  const name = options.name ?? ((blob as { name?: string }).name || "file");
  const send = total <= SMALL ? small : large;
  const done = send(context, blob, name, control.signal, progress).then(
    (file) => {
      state.set({ status: "done", sent: total, total, file });
      return file;
    },
    (error: unknown) => {
      const { sent } = state.get();
      if (control.signal.aborted) state.set({ status: "aborted", sent, total });
      else state.set({ status: "failed", sent, total, error: error as HubbubError });
      throw error;
    },
  );
  done.catch(() => undefined).finally(() => signal?.removeEventListener("abort", give));
  return { state, done, abort: () => control.abort() };
}

type Send = (
  context: Context,
  blob: Blob,
  name: string,
  signal: AbortSignal,
  progress: (sent: number) => void,
) => Promise<StoredFile>;

const small: Send = async (context, blob, name, signal, progress) => {
  const path = `/v1/uploads?name=${encodeURIComponent(name)}`;
  return again(signal, async () => {
    const response = await context.client.http(path, { method: "POST", body: blob, signal });
    const file = (await answer(response)) as StoredFile;
    progress(blob.size);
    return file;
  });
};

const large: Send = async (context, blob, name, signal, progress) => {
  const { file, upload: path } = await context.call("files.create", { name, size: blob.size }, { signal });
  try {
    let sent = 0;
    let sure = true;
    while (sent < blob.size) {
      sent = await again(signal, async () => {
        if (!sure) sent = await reached(context, path, signal);
        // Until it is answered, nobody knows how much of a piece has come.
        sure = false;
        if (sent === blob.size) return sent;
        const headers = {
          ...TUS,
          "Upload-Offset": String(sent),
          "Content-Type": "application/offset+octet-stream",
        };
        const body = blob.slice(sent, sent + PIECE);
        const response = await context.client.http(path, { method: "PATCH", headers, body, signal });
        // Where the server is: to ask is to know.
        if (response.status !== 409) await answer(response);
        if (response.status === 409) throw new HubbubError({ ...CONFLICT });
        sure = true;
        return Number(response.headers.get("Upload-Offset") ?? sent + body.size);
      });
      progress(sent);
    }
    return await again(signal, () => context.call("files.get", { file: file.id }, { signal }));
  } catch (error) {
    // What is left of it takes room; if this fails, the server gives it up after a day.
    context.call("files.delete", { file: file.id }).catch(() => undefined);
    throw error;
  }
};

const CONFLICT = { code: 137, name: "upload_conflict", message: "the upload is elsewhere", temporary: true };

async function reached(context: Context, path: string, signal: AbortSignal): Promise<number> {
  const response = await context.client.http(path, { method: "HEAD", headers: TUS, signal });
  if (!response.ok) await answer(response);
  return Number(response.headers.get("Upload-Offset"));
}

/** What a response says. Rejects with its refusal. */
async function answer(response: Response): Promise<unknown> {
  const text = await response.text();
  if (response.ok) return text === "" ? undefined : JSON.parse(text);
  let refusal: WireError;
  try {
    const body = JSON.parse(text) as { error?: WireError } & WireError;
    refusal = body.error ?? body;
  } catch {
    const temporary = response.status >= 500 || response.status === 429;
    refusal = { code: response.status, message: `HTTP status ${response.status}`, temporary };
  }
  throw HubbubError.from(refusal);
}

/** Does it, and again while that may help. */
async function again<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (let pause = PAUSE; ; pause = Math.min(pause * 2, LONGEST)) {
    try {
      return await act();
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw error;
      await rest(Math.max(((error as HubbubError).retryAfter ?? 0) * 1000, pause), signal);
    }
  }
}

function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
