import type { RestrictionKind } from "hubbub/chat";
import { useChat, useHubbub } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { Button, Choice, Dialog, Select, TextArea, toast, toastError } from "../ui/index.ts";
import { DURATION_KEYS, type Duration, untilOf } from "./durations.ts";
import { texts } from "./texts.ts";

/** Mutes or bans somebody: in a conversation, or everywhere for those with an office. */
export function RestrictDialog(props: {
  user: string;
  name: string;
  conversation: { readonly id: string; readonly name: string } | undefined;
  everywhere: boolean;
  onClose(): void;
}) {
  const t = useTexts(texts);
  const chat = useChat();
  const hubbub = useHubbub();
  const { user, name, conversation, everywhere } = props;
  const [kind, setKind] = useState<RestrictionKind>("mute");
  const [where, setWhere] = useState<"here" | "everywhere">(
    conversation === undefined ? "everywhere" : "here",
  );
  const [duration, setDuration] = useState<Duration>("day");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);

  async function restrict() {
    setBusy(true);
    const until = untilOf(duration, hubbub.time());
    try {
      await chat.call("restrictions.set", {
        user,
        kind,
        ...(where === "here" && conversation !== undefined ? { conversation: conversation.id } : {}),
        ...(until === undefined ? {} : { until }),
        ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
      });
      toast(t("restrictDone", { name }), { tone: "success" });
      props.onClose();
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("restrictTitle", { name })}
      onSubmit={() => void restrict()}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="danger" type="submit" busy={busy}>
            {t(kind)}
          </Button>
        </>
      }
    >
      <Choice<RestrictionKind>
        label={t("kind")}
        value={kind}
        onChange={setKind}
        options={(["mute", "ban", "shadow"] as const).map((value) => ({ value, label: t(value) }))}
      />
      <p>{t(`${kind}Hint`)}</p>
      {conversation !== undefined && everywhere && (
        <Choice<"here" | "everywhere">
          label={t("where")}
          value={where}
          onChange={setWhere}
          options={[
            { value: "here", label: conversation.name },
            { value: "everywhere", label: t("everywhere") },
          ]}
        />
      )}
      <Select<Duration>
        label={t("howLong")}
        value={duration}
        onChange={setDuration}
        options={DURATION_KEYS.map((value) => ({ value, label: t(value) }))}
      />
      <TextArea label={t("reasonTold")} value={reason} onChange={setReason} rows={2} />
    </Dialog>
  );
}
