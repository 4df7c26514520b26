import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

const old = (name: string) => resolve(import.meta.dirname, "test/react-18/node_modules", name);

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2, // each may have a server of its own
    projects: [
      { extends: true, test: { name: "all", include: ["test/**/*.test.{ts,tsx}"] } },
      {
        extends: true,
        resolve: {
          alias: [
            { find: /^react(\/.*)?$/, replacement: `${old("react")}$1` },
            { find: /^react-dom(\/.*)?$/, replacement: `${old("react-dom")}$1` },
            { find: "@testing-library/react", replacement: old("@testing-library/react") },
          ],
        },
        test: { name: "react 18", include: ["test/react/*.test.tsx"], globalSetup: "test/react-18/setup.ts" },
      },
    ],
  },
});
