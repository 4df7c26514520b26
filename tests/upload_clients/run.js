// Uploads a file with tus-js-client, as Node's command: `node run.js '{"endpoint": ..., "token": ..., "size": ...}'`.
// With `breakAt` the upload is cut there and taken up again by a client that knows nothing but the URL that was stored.
import { createHash } from "node:crypto";
import { Upload } from "tus-js-client";

const options = JSON.parse(process.argv[2]);
const data = Buffer.alloc(options.size);
for (let place = 0; place < data.length; place++) data[place] = (place * 31 + (place >> 8) * 7) & 255;

function begin(more, done, progress = () => {}) {
  const upload = new Upload(data, {
    endpoint: options.endpoint,
    chunkSize: options.chunkSize ?? Infinity,
    retryDelays: [0, 100, 300],
    headers: { Authorization: `Bearer ${options.token}` },
    metadata: { filename: options.name ?? "blob.bin", filetype: "text/html" },
    uploadDataDuringCreation: options.during ?? false,
    uploadSize: data.length,
    onError: (error) => {
      console.log(JSON.stringify({ error: String(error.message), status: error.originalResponse?.getStatus() ?? null }));
      process.exit(0);
    },
    onProgress: progress,
    onSuccess: () => done(upload),
    ...more,
  });
  return upload;
}

function report(upload, aborted) {
  const digest = createHash("sha256").update(data).digest("hex");
  console.log(JSON.stringify({ url: upload.url, digest, aborted }));
  process.exit(0);
}

if (options.breakAt === undefined) {
  begin({}, (upload) => report(upload, false)).start();
} else {
  let broken = false;
  const first = begin(
    {},
    () => {
      if (!broken) console.log(JSON.stringify({ error: "it was not broken" }));
    },
    async (sent) => {
      if (broken || sent < options.breakAt || first.url === null) return;
      broken = true;
      await first.abort();
      begin({ uploadUrl: first.url }, (upload) => report(upload, true)).start();
    },
  );
  first.start();
}
