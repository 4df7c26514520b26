import { useChat } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { Button, Dialog, Select, TextField } from "../../ui/index.ts";
import { texts } from "../texts.ts";

/** Asks for what a command needs. */
export function CommandDialog(props: {
  conversation: string;
  name: string;
  onClose(): void;
  onRun(values: Readonly<Record<string, string>>): void;
}) {
  const t = useTexts(texts);
  const { name } = props;
  const command = useChat()
    .commands(props.conversation)
    .get()
    .find((each) => each.name === name);
  const all = command?.arguments ?? [];
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [tried, setTried] = useState(false);
  const missing = (each: (typeof all)[number]) => each.required === true && !values[each.name]?.trim();
  const run = () => {
    setTried(true);
    if (all.some(missing)) return;
    props.onRun(Object.fromEntries(Object.entries(values).filter(([, value]) => value.trim() !== "")));
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("commandTitle", { name })}
      size="s"
      onSubmit={run}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit">
            {t("commandRun")}
          </Button>
        </>
      }
    >
      {command?.description !== undefined && <p>{command.description}</p>}
      {all.map((each) => {
        const put = (value: string) => setValues({ ...values, [each.name]: value });
        const error = tried && missing(each) ? t("needed") : undefined;
        const shared = { label: each.name, hint: each.description, error, value: values[each.name] ?? "" };
        return each.choices !== undefined && each.choices.length > 0 ? (
          <Select
            key={each.name}
            {...shared}
            onChange={put}
            options={["", ...each.choices].map((value) => ({ value, label: value || "–" }))}
          />
        ) : (
          <TextField key={each.name} {...shared} onChange={put} />
        );
      })}
    </Dialog>
  );
}
