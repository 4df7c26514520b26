import { expect, test } from "vitest";
import { strangers } from "./running.js";

const FOLDERS = [
  "examples/express",
  "examples/nextjs",
  "examples/react-vite",
  "test/react-18",
  "test/runtimes",
];

test.each(FOLDERS)("the lock file of %s names npm's registry alone", (folder) => {
  expect(strangers(folder)).toEqual([]);
});
