/** Parts of the app that are loaded when they are asked for, or when there is nothing else to do. */

import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { idle } from "./idle.ts";

const AGAIN = 2000; // milliseconds, after a part could not be had
const CALM = 3000; // milliseconds after the start, until the rest is fetched
const RELOADED = "hubbub:reloaded";

type Load = () => Promise<unknown>;
const loads: Load[] = [];

/**
 * As React's `lazy`, but what cannot be had for want of a network is tried again; meanwhile it is being loaded. What is
 * not there any more, since another version was deployed, comes with the page: that is loaded anew.
 */
// biome-ignore lint/suspicious/noExplicitAny: as React has it: any props
export function later<C extends ComponentType<any>>(
  load: () => Promise<{ default: C }>,
): LazyExoticComponent<C> {
  loads.push(load);
  const insist = (): Promise<{ default: C }> =>
    load().catch(async () => {
      if (await replaced()) location.reload();
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
      return insist();
    });
  return lazy(insist);
}

/** Whether the server's page begins with another script than this one did. True once a version: never a loop. */
async function replaced(): Promise<boolean> {
  const entry = document.querySelector("script[type=module]")?.getAttribute("src");
  if (entry == null || sessionStorage.getItem(RELOADED) === entry) return false;
  try {
    const answer = await fetch("./", { cache: "no-store" });
    if (!answer.ok || (await answer.text()).includes(entry)) return false;
  } catch {
    return false; // it is the network that is missing
  }
  sessionStorage.setItem(RELOADED, entry);
  return true;
}

/** Fetch all parts when it is calm, so that they are there without a network, too; not for who saves data. */
export function fetchTheRest(): () => void {
  const connection = "connection" in navigator ? (navigator.connection as { saveData?: boolean }) : undefined;
  if (connection?.saveData === true) return () => undefined;
  let going = true;
  const timer = setTimeout(async () => {
    for (const load of loads) {
      await idle(); // what is fetched is run, too
      if (!going) return;
      await load().catch(() => undefined); // it is tried again when it is asked for
    }
  }, CALM);
  return () => {
    going = false;
    clearTimeout(timer);
  };
}
