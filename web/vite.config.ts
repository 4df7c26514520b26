import { fileURLToPath, URL } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { precompress } from "./scripts/precompress.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const sdk = (name: string) => here(`../clients/typescript/src/${name}.ts`);

/** Where `npm run dev` finds a server: `HUBBUB_URL=http://127.0.0.1:8000 npm run dev`. */
const server = process.env.HUBBUB_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "./", // the server may be mounted below a path
  plugins: [react(), precompress()],
  resolve: {
    alias: [
      { find: /^hubbub$/, replacement: sdk("index") },
      { find: /^hubbub\/chat$/, replacement: sdk("chat") },
      { find: /^hubbub\/react$/, replacement: sdk("react") },
    ],
    dedupe: ["react", "react-dom"], // the SDK's sources are outside of this folder, and shall find ours
  },
  build: {
    outDir: process.env.HUBBUB_WEB_OUT ?? here("../src/hubbub/web/static"),
    emptyOutDir: true,
    rolldownOptions: { checks: { pluginTimings: false } }, // compressing takes its time
    target: "es2022",
    assetsInlineLimit: 0, // the Content-Security-Policy knows no data: for scripts and fonts
    modulePreload: { polyfill: false },
    manifest: "manifest.json",
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/dev", "/health", "/connection", "/docs", "/metrics", "/openapi.json", "/asyncapi.json"].map(
        (path) => [path, { target: server, ws: true }],
      ),
    ),
  },
  test: {
    environment: "node",
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
