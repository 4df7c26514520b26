import { useTexts } from "../i18n/index.ts";
import { Dialog, Kbd } from "../ui/index.ts";
import { useAllCommands } from "./commands.ts";
import styles from "./Help.module.css";
import { closeOverlay } from "./overlays.ts";
import { texts } from "./texts.ts";

interface Line {
  readonly title: string;
  readonly keys: readonly string[];
}

/** All shortcuts that there are now, by group. */
export default function Help() {
  const t = useTexts(texts);
  const commands = new Map(useAllCommands().map((command) => [command.id, command]));
  const groups = new Map<string, Line[]>();
  for (const { group, title, keys = [] } of commands.values()) {
    if (keys.length === 0) continue;
    const lines = groups.get(group) ?? [];
    groups.set(group, [...lines, { title, keys }]);
  }
  groups.set(t("inLists"), [
    { title: t("moveInLists"), keys: ["ArrowUp", "ArrowDown", "k", "j"] },
    { title: t("ends"), keys: ["Home", "End"] },
    { title: t("menuOf"), keys: ["Shift+F10"] },
  ]);
  return (
    <Dialog open onClose={closeOverlay} title={t("help")} size="l">
      <div className={styles.groups}>
        {[...groups].map(([group, lines]) => (
          <section key={group}>
            <h3 className={styles.group}>{group}</h3>
            <dl>
              {lines.map((line) => (
                <div key={line.title} className={styles.line}>
                  <dt>{line.title}</dt>
                  <dd className={styles.keys}>
                    {line.keys.map((keys) => (
                      <Kbd key={keys} keys={keys} />
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
