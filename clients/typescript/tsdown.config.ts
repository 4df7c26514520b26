import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/chat.ts", "src/react.ts", "src/server.ts"],
  format: ["esm", "cjs"],
  platform: "neutral",
  target: "es2022",
  tsconfig: "tsconfig.src.json",
  dts: true,
  sourcemap: true,
  fixedExtension: false,
});
