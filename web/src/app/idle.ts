/** What can wait until there is nothing else to do. */

const PATIENCE = 5000; // milliseconds, for which something waits for a calm moment
const MOMENT = 100;

/** Until there is nothing else to do, or for a while. Not every browser tells; there it is a moment. */
export const idle = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof requestIdleCallback === "function")
      requestIdleCallback(() => resolve(), { timeout: PATIENCE });
    else setTimeout(resolve, MOMENT);
  });

/**
 * Do these once, each in a calm moment: what takes its time when it is used first (data of a locale, regular
 * expressions) takes it while the network is waited for, and not when there is something to show.
 */
export async function warmUp(...uses: readonly (() => unknown)[]): Promise<void> {
  if (typeof requestIdleCallback !== "function") return;
  for (const use of uses) {
    await new Promise((resolve) => requestIdleCallback(resolve));
    use();
  }
}
