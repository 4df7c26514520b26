import type { ConversationView, Role, User } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { UserPicker } from "../conversations/UserPicker.tsx";
import { useTexts } from "../i18n/index.ts";
import { Button, Dialog, Select, Switch, toast, toastError } from "../ui/index.ts";
import { rolesToGive } from "./roles.ts";
import { texts } from "./texts.ts";

/** Adds people to a conversation, or invites them. `known` are not offered. */
export function AddMembersDialog(props: {
  view: ConversationView;
  known: readonly string[];
  onClose(): void;
}) {
  const t = useTexts(texts);
  const chat = useChat();
  const { view } = props;
  const [chosen, setChosen] = useState<readonly User[]>([]);
  const [role, setRole] = useState<Role>("member");
  const [invite, setInvite] = useState(false);
  const [busy, setBusy] = useState(false);
  const roles: readonly Role[] = ["member", ...rolesToGive(view, "member", false)];

  async function add() {
    if (chosen.length === 0) return;
    setBusy(true);
    try {
      const users = chosen.map((user) => user.id);
      const conversation = view.conversation.id;
      await chat.call("members.add", { conversation, users, invite, ...(role === "member" ? {} : { role }) });
      toast(t(invite ? "invitedDone" : "addDone", { count: users.length }), { tone: "success" });
      props.onClose();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t("add")}
      onSubmit={() => void add()}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy} disabled={chosen.length === 0}>
            {t("add")}
          </Button>
        </>
      }
    >
      <UserPicker label={t("people")} chosen={chosen} onChange={setChosen} without={props.known} />
      {roles.length > 1 && (
        <Select<Role>
          label={t("addAs")}
          value={role}
          onChange={setRole}
          options={roles.map((value) => ({ value, label: t(value) }))}
        />
      )}
      <Switch label={t("invite")} checked={invite} onChange={setInvite} />
    </Dialog>
  );
}
