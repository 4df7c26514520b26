import { expect, test } from "vitest";
import { strangers } from "./running.js";

test.each(["express", "nextjs", "react-vite"])("the lock file of %s names npm's registry alone", (name) => {
  expect(strangers(name)).toEqual([]);
});
