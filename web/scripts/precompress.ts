/** Compressed twins of what is built, so that the server has nothing to compress: `app.js.br`, `app.js.gz`. */

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(?:js|css|svg|webmanifest)$/;
const WORTH = 1400; // bytes: what fits into a packet is not worth it

export function precompress(): Plugin {
  let folder = "";
  return {
    name: "hubbub:precompress",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    async closeBundle() {
      const names = await readdir(folder, { recursive: true });
      await Promise.all(names.filter((name) => TEXT.test(name)).map((name) => twins(join(folder, name))));
    },
  };
}

async function twins(path: string): Promise<void> {
  const data = await readFile(path);
  if (data.length < WORTH) return;
  const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(data, best),
    promisify(gzip)(data, { level: constants.Z_BEST_COMPRESSION }),
  ]);
  await writeFile(`${path}.br`, br);
  await writeFile(`${path}.gz`, gz);
}
