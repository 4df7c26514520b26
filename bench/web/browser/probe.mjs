// What watches from inside of the page. Put into it before anything else, as text: it can use nothing from around it.

/** Where things are in the app, by what is read out. */
export const PLACES = {
  signIn: "main ul button",
  list: 'nav[aria-label="Conversations"] a[href^="#/c/"]',
  message: 'main [role="log"] article[data-seq]',
};

export function probe(places) {
  const now = () => performance.now();
  const wait = (look) =>
    new Promise((resolve) => {
      const again = () => {
        const found = look();
        if (found) resolve(found);
        else requestAnimationFrame(again);
      };
      again();
    });

  // Milliseconds since the navigation began, at the first frame that had it.
  const seen = {};
  for (const [name, selector] of Object.entries(places)) {
    void wait(() => document.querySelector(selector)).then(() => {
      seen[name] = now();
    });
  }

  const tasks = [];
  const shifts = [];
  const inputs = [];
  const paints = {};
  const observe = (type, take, more) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...more });
  observe("longtask", ({ startTime, duration }) => tasks.push({ at: startTime, duration }));
  observe("layout-shift", ({ startTime, value, hadRecentInput, sources }) => {
    if (hadRecentInput) return;
    const what = sources.map(({ node }) => (node instanceof Element ? `${node.localName}.${node.className}` : "text"));
    shifts.push({ at: startTime, value, what });
  });
  observe("paint", ({ name, startTime }) => (paints[name] = startTime));
  observe("largest-contentful-paint", ({ startTime }) => (paints["largest-contentful-paint"] = startTime));
  observe("event", ({ name, startTime, duration }) => inputs.push({ name, at: startTime, duration }), {
    durationThreshold: 16,
  });

  /** Frames as they come until `stop`; in some of them what is on the screen. */
  function watchFrames() {
    const log = document.querySelector('main [role="log"]');
    const all = document.getElementsByTagName("*");
    const found = { frames: [], nodes: [], looked: 0, blank: 0, lowest: Number.POSITIVE_INFINITY };
    let last = now();
    let running = true;
    const each = (time) => {
      if (!running) return;
      found.frames.push(time - last);
      last = time;
      if (found.frames.length % 5 === 0) {
        const { left, top, width, height } = log.getBoundingClientRect();
        const at = (share) => document.elementFromPoint(left + width / 2, top + height * share);
        const shown = [0.2, 0.5, 0.8].some((share) => at(share)?.closest("article"));
        found.looked += 1;
        if (!shown) found.blank += 1;
        found.nodes.push(all.length);
        for (const article of log.querySelectorAll("article[data-seq]")) {
          found.lowest = Math.min(found.lowest, Number(article.dataset.seq));
        }
      }
      requestAnimationFrame(each);
    };
    requestAnimationFrame((time) => {
      last = time;
      requestAnimationFrame(each);
    });
    return {
      found,
      stop() {
        running = false;
        return found;
      },
    };
  }

  const said = (text) =>
    [...document.querySelectorAll('main [role="log"] article')].findLast((each) => each.textContent.includes(text));

  /** When a message with `text` is shown, and when the server has it: milliseconds since the last Enter. */
  function watchSending(text) {
    let pressed = 0;
    const press = (event) => {
      if (event.key === "Enter") pressed = now();
    };
    addEventListener("keydown", press, { capture: true });
    return (async () => {
      await wait(() => pressed > 0 && said(text));
      const shown = now() - pressed;
      await wait(() => said(text)?.dataset.seq);
      removeEventListener("keydown", press, { capture: true });
      return { shown, confirmed: now() - pressed, pressed: performance.timeOrigin + pressed };
    })();
  }

  globalThis.hubbubProbe = {
    seen,
    tasks,
    shifts,
    inputs,
    paints,
    watchFrames,
    watchSending,
    /** Resolves with Unix time in milliseconds when a message with `text` is there. */
    heard: (text) => wait(() => said(text)).then(() => performance.timeOrigin + now()),
  };
}
