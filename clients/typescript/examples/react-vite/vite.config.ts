import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Page and server have one origin, as behind a proxy in production.
const target = process.env.HUBBUB_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/v1": { target, ws: true }, "/dev": { target } } },
});
