import type { NextConfig } from "next";

const config: NextConfig = {
  turbopack: { root: import.meta.dirname }, // it lies within another package
};

export default config;
