import { useChat, useView } from "hubbub/react";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { EmojiOf } from "../messages/Text.tsx";
import { TextField } from "../ui/index.ts";
import styles from "./EmojiPicker.module.css";
import { emojiOf, GROUPS } from "./emoji/data.ts";
import { recent, search, used } from "./emoji/search.ts";
import { texts } from "./texts.ts";

const FOUND = 80;

interface Choice {
  /** What is given: an emoji, or the name of one of our own. */
  readonly value: string;
  readonly name: string;
}

/** Choose an emoji: by its name, among those used last, or by looking. Gives an emoji, or the name of a custom one. */
export default function EmojiPicker({ onPick }: { onPick(emoji: string): void }) {
  const t = useTexts(texts);
  const { emoji: custom } = useView(useChat().catalogue);
  const [typed, setTyped] = useState("");
  const [hinted, setHinted] = useState("");
  const grid = useRef<HTMLDivElement>(null);
  const [last] = useState(recent);

  const sections = useMemo(() => {
    const own = [...custom.keys()].map((name): Choice => ({ value: name, name }));
    const wanted = typed.trim().toLowerCase();
    if (wanted !== "") {
      const found = search(wanted, FOUND).map(({ emoji, name }): Choice => ({ value: emoji, name }));
      return [{ title: "", choices: [...own.filter(({ name }) => name.includes(wanted)), ...found] }];
    }
    const names = new Map(GROUPS.flatMap(emojiOf).map(({ emoji, names: [name = ""] }) => [emoji, name]));
    return [
      {
        title: t("recent"),
        choices: last.map((value): Choice => ({ value, name: names.get(value) ?? value })),
      },
      { title: t("custom"), choices: own },
      ...GROUPS.map((group) => ({
        title: t(group),
        choices: emojiOf(group).map(({ emoji, names: [name = ""] }): Choice => ({ value: emoji, name })),
      })),
    ].filter(({ choices }) => choices.length > 0);
  }, [typed, custom, last, t]);

  function pick(value: string) {
    used(value);
    onPick(value);
  }
  function move(event: KeyboardEvent) {
    const all = [...(grid.current?.querySelectorAll<HTMLElement>("button") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (at < 0) {
      if (event.key === "ArrowDown" || (event.key === "Enter" && typed !== "")) {
        event.preventDefault();
        if (event.key === "Enter") all[0]?.click();
        else all[0]?.focus();
      }
      return;
    }
    const rtl = getComputedStyle(all[at] as HTMLElement).direction === "rtl";
    const here = (all[at] as HTMLElement).getBoundingClientRect();
    const line = (down: boolean) => {
      const order = down ? all.slice(at + 1) : all.slice(0, at).reverse();
      const other = order
        .map((each) => ({ each, box: each.getBoundingClientRect() }))
        .filter(({ box }) => Math.abs(box.top - here.top) > 4);
      const top = other[0]?.box.top;
      return other
        .filter(({ box }) => Math.abs(box.top - (top ?? 0)) < 4)
        .sort((a, b) => Math.abs(a.box.left - here.left) - Math.abs(b.box.left - here.left))[0]?.each;
    };
    const targetOf = (): HTMLElement | null | undefined => {
      switch (event.key) {
        case "ArrowRight":
          return all[at + (rtl ? -1 : 1)];
        case "ArrowLeft":
          return all[at + (rtl ? 1 : -1)];
        case "ArrowDown":
          return line(true);
        case "ArrowUp":
          return line(false) ?? grid.current?.parentElement?.querySelector("input");
        case "Home":
          return all[0];
        case "End":
          return all.at(-1);
      }
    };
    const target = targetOf();
    if (target == null) return;
    event.preventDefault();
    target.focus();
  }
  const first = sections[0]?.choices[0];
  let reached = false;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrows go from one to the next
    <div className={styles.picker} onKeyDown={move}>
      <TextField
        label={t("emojiSearch")}
        hideLabel
        icon="search"
        placeholder={t("emojiSearch")}
        value={typed}
        onChange={setTyped}
        data-autofocus
      />
      <div ref={grid} className={styles.grid}>
        {sections.map(({ title, choices }) => (
          <section key={title} aria-label={title || t("emojiSearch")}>
            {title !== "" && <h3 className={styles.title}>{title}</h3>}
            <div className={styles.choices}>
              {choices.map((choice, at) => {
                const stop = !reached;
                reached = true;
                return (
                  <button
                    // biome-ignore lint/suspicious/noArrayIndexKey: one emoji may be there twice
                    key={`${choice.value} ${at}`}
                    type="button"
                    tabIndex={stop ? 0 : -1}
                    className={styles.choice}
                    aria-label={choice.name}
                    onClick={() => pick(choice.value)}
                    onFocus={() => setHinted(choice.name)}
                    onPointerEnter={() => setHinted(choice.name)}
                  >
                    <EmojiOf name={choice.value} bare />
                  </button>
                );
              })}
            </div>
          </section>
        ))}
        {first === undefined && <p className={styles.none}>{t("emojiNone")}</p>}
      </div>
      <p className={styles.hint} aria-hidden="true">
        {hinted === "" ? "\u00a0" : `:${hinted}:`}
      </p>
    </div>
  );
}
