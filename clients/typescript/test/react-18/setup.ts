import { installed } from "../examples/running.js";

/** See that React 18 is there, before the tests that are run with it. */
export default async function setup(): Promise<void> {
  await installed(import.meta.dirname);
}
