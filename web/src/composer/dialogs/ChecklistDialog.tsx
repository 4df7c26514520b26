import type { PartInput } from "hubbub/chat";
import { useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { Button, Dialog, Switch, TextField } from "../../ui/index.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";
import { Lines } from "./lines.tsx";

/** Make a checklist. */
export function ChecklistDialog(props: { onClose(): void; onMade(parts: readonly PartInput[]): void }) {
  const t = useTexts(texts);
  const [title, setTitle] = useState("");
  const [items, setItems] = useState<readonly string[]>(["", "", ""]);
  const [anyone, setAnyone] = useState(true);
  const [error, setError] = useState("");
  const make = () => {
    const given = items.map((each) => each.trim()).filter((each) => each !== "");
    if (given.length === 0) return setError(t("checklistNeeds"));
    props.onMade([
      {
        type: "checklist",
        items: given.map((text) => ({ text })),
        ...(title.trim() !== "" && { title: title.trim() }),
        ...(anyone && { anyone }),
      },
    ]);
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("checklistTitle")}
      onSubmit={make}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit">
            {t("checklistMake")}
          </Button>
        </>
      }
    >
      <TextField label={t("title")} value={title} onChange={setTitle} maxLength={200} data-autofocus />
      <Lines
        lines={items}
        onChange={setItems}
        least={1}
        most={50}
        label={(number) => t("item", { number })}
        remove={(number) => t("removeItem", { number })}
        add={t("addItem")}
      />
      <Switch label={t("anyone")} checked={anyone} onChange={setAnyone} />
      {error !== "" && (
        <p role="alert" className={styles.error}>
          {error}
        </p>
      )}
    </Dialog>
  );
}
