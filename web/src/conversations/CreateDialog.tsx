import type { User } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { go } from "../app/router.ts";
import { useTexts } from "../i18n/index.ts";
import { Button, Choice, Dialog, Switch, TextField, toastError } from "../ui/index.ts";
import { texts } from "./texts.ts";
import { UserPicker } from "./UserPicker.tsx";

/** Writes to one person, or makes a group, topic or broadcast. */
export default function CreateDialog({ start, onClose }: { start: "direct" | "group"; onClose(): void }) {
  return start === "direct" ? <DirectDialog onClose={onClose} /> : <GroupDialog onClose={onClose} />;
}

function DirectDialog({ onClose }: { onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  async function pick(user: User) {
    try {
      const { conversation } = (await chat.call("conversations.direct", { user: user.id })).conversation;
      onClose();
      go({ view: "conversation", conversation: conversation.id });
    } catch (error) {
      toastError(error);
    }
  }
  return (
    <Dialog open onClose={onClose} title={t("newMessage")}>
      <UserPicker
        label={t("findPeople")}
        hint={t("findPeopleHint")}
        chosen={[]}
        onChange={() => undefined}
        onPick={(user) => void pick(user)}
      />
    </Dialog>
  );
}

type Kind = "group" | "topic" | "broadcast";

function GroupDialog({ onClose }: { onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [kind, setKind] = useState<Kind>("group");
  const [name, setName] = useState("");
  const [topic, setTopic] = useState("");
  const [members, setMembers] = useState<readonly User[]>([]);
  const [invite, setInvite] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const hints = { group: t("kindGroupHint"), topic: t("kindTopicHint"), broadcast: t("kindBroadcastHint") };

  async function create() {
    setTried(true);
    if (name.trim() === "") return;
    setBusy(true);
    try {
      const made = await chat.call("conversations.create", {
        kind,
        name: name.trim(),
        ...(topic.trim() === "" ? {} : { topic: topic.trim() }),
        members: members.map((user) => ({ user: user.id })),
        invite,
      });
      onClose();
      go({ view: "conversation", conversation: made.conversation.id });
    } catch (error) {
      setBusy(false);
      toastError(error);
    }
  }

  return (
    <Dialog
      open
      onClose={onClose}
      title={t("newConversation")}
      onSubmit={() => void create()}
      footer={
        <Button tone="primary" type="submit" busy={busy}>
          {t("create")}
        </Button>
      }
    >
      <TextField
        label={t("name")}
        value={name}
        onChange={setName}
        maxLength={80}
        error={tried && name.trim() === "" ? t("nameNeeded") : undefined}
        data-autofocus
      />
      <div>
        <Choice<Kind>
          label={t("kind")}
          value={kind}
          onChange={setKind}
          options={[
            { value: "group", label: t("kindGroup"), icon: "group" },
            { value: "topic", label: t("kindTopic"), icon: "hash" },
            { value: "broadcast", label: t("kindBroadcast"), icon: "broadcast" },
          ]}
        />
        <p style={{ color: "var(--text-soft)", fontSize: "var(--size-s)", marginBlockStart: 6 }}>
          {hints[kind]}
        </p>
      </div>
      <TextField label={t("about")} value={topic} onChange={setTopic} />
      <UserPicker label={t("people")} chosen={members} onChange={setMembers} />
      <Switch label={t("invite")} hint={t("inviteHint")} checked={invite} onChange={setInvite} />
    </Dialog>
  );
}
