import { allowed, type ConversationView, type Member, type MemberState, type Role } from "hubbub/chat";
import { useChat, useConversation, usePresence } from "hubbub/react";
import { useEffect, useState } from "react";
import { PaneHeader } from "../app/PageHeader.tsx";
import { go } from "../app/router.ts";
import { useMyId, useNames, useTitle } from "../conversations/names.ts";
import { formatRelative, useTexts } from "../i18n/index.ts";
import {
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  MenuButton,
  type MenuItem,
  Tabs,
  TextField,
  toastError,
} from "../ui/index.ts";
import { AddMembersDialog } from "./AddMembersDialog.tsx";
import { PagedList } from "./PagedList.tsx";
import { Person } from "./Person.tsx";
import { usePaged } from "./paged.ts";
import styles from "./panes.module.css";
import { canRemove, rolesToGive } from "./roles.ts";
import { texts } from "./texts.ts";

type Shown = Extract<MemberState, "joined" | "invited">;

/** Who is in a conversation, and who is invited. */
export default function MembersPane({ conversation, onClose }: { conversation: string; onClose(): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const view = useConversation(conversation);
  const title = useTitle(view);
  const [shown, setShown] = useState<Shown>("joined");
  const [filter, setFilter] = useState("");
  const [adding, setAdding] = useState(false);
  const list = usePaged(`${conversation} ${shown}`, (cursor) =>
    chat
      .call("members.list", { conversation, state: shown, limit: 100, cursor })
      .then(({ members, next }) => ({ items: members, next })),
  );
  const { again } = list;
  useEffect(
    () =>
      chat.on(
        "event",
        (event) => event.type === "member.changed" && event.conversation === conversation && again(),
      ),
    [chat, conversation, again],
  );
  const names = useNames((list.items ?? []).map((each) => each.user));
  const sought = filter.trim().toLocaleLowerCase();
  const found = list.items?.filter((each) =>
    `${each.user} ${names(each.user) ?? ""}`.toLocaleLowerCase().includes(sought),
  );
  const mayAdd = view !== undefined && allowed(view, "invite") && view.conversation.kind !== "direct";

  return (
    <>
      <PaneHeader
        title={t("members")}
        hint={`${title} · ${t("membersCount", { count: view?.conversation.members ?? 0 })}`}
        onClose={onClose}
      >
        {mayAdd && (
          <Button size="s" icon="personAdd" onClick={() => setAdding(true)}>
            {t("add")}
          </Button>
        )}
      </PaneHeader>
      <div className={styles.tools}>
        <TextField
          label={t("findMember")}
          hideLabel
          placeholder={t("findMember")}
          type="search"
          icon="search"
          clearable
          value={filter}
          onChange={setFilter}
        />
      </div>
      <Tabs<Shown>
        label={t("members")}
        selected={shown}
        onSelect={setShown}
        tabs={[
          { key: "joined", label: t("joined") },
          { key: "invited", label: t("invited") },
        ]}
      >
        <div className={styles.body}>
          <PagedList
            list={{ ...list, items: found }}
            label={t(shown)}
            keyOf={(each) => each.user}
            empty={
              <EmptyState
                icon="group"
                title={filter === "" ? t("nobody") : t("noMember", { text: filter.trim() })}
              />
            }
          >
            {(member) => view !== undefined && <MemberRow member={member} view={view} shown={shown} />}
          </PagedList>
        </div>
      </Tabs>
      {adding && view !== undefined && (
        <AddMembersDialog
          view={view}
          known={(list.items ?? []).map((each) => each.user)}
          onClose={() => {
            setAdding(false);
            again();
          }}
        />
      )}
    </>
  );
}

function MemberRow({ member, view, shown }: { member: Member; view: ConversationView; shown: Shown }) {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId();
  const [removing, setRemoving] = useState(false);
  const [busy, setBusy] = useState(false);
  const presence = usePresence(member.user);
  const names = useNames([member.user, member.invited_by ?? member.user]);
  const { conversation } = view;
  const self = member.user === me;
  const name = names(member.user) || member.user;
  const role = member.role ?? "member";

  const give = (to: Role) =>
    chat
      .call("members.update", { conversation: conversation.id, user: member.user, role: to })
      .catch(toastError);
  async function remove() {
    setBusy(true);
    await chat.call("members.remove", { conversation: conversation.id, user: member.user }).catch(toastError);
    setBusy(false);
    setRemoving(false);
  }

  const roles = shown === "joined" ? rolesToGive(view, member.role, self) : [];
  const removable =
    canRemove(view, member.role, self) || (shown === "invited" && member.invited_by === me && !self);
  const items: MenuItem[] = [
    {
      label: t("showProfile"),
      icon: "person",
      onSelect: () =>
        go({
          view: "conversation",
          conversation: conversation.id,
          pane: { kind: "user", user: member.user },
        }),
    },
    ...roles.map(
      (each): MenuItem => ({
        label: t("makeRole", { role: t(each) }),
        icon: "shield",
        onSelect: () => void give(each),
      }),
    ),
  ];
  if (removable)
    items.push("separator", {
      label: t(shown === "joined" ? "removeMember" : "withdrawInvitation"),
      icon: "trash",
      danger: true,
      onSelect: () => setRemoving(true),
    });
  const there =
    presence?.availability === "offline" && presence.last_seen !== undefined
      ? formatRelative(presence.last_seen)
      : t(presence?.availability ?? "offline");
  const hint =
    shown === "invited" && member.invited_by !== undefined
      ? t("invitedBy", { name: names(member.invited_by) || member.invited_by })
      : there;
  return (
    <>
      <Person
        id={member.user}
        conversation={conversation.id}
        hint={hint}
        badges={
          <>
            {self && <span className={styles.soft}>({t("you")})</span>}
            {role !== "member" && (
              <Badge tone={role === "owner" || role === "admin" ? "accent" : "quiet"}>{t(role)}</Badge>
            )}
          </>
        }
      >
        <MenuButton size="s" label={t("actionsFor", { name })} items={items} />
      </Person>
      <ConfirmDialog
        open={removing}
        onClose={() => setRemoving(false)}
        title={t("removeTitle", { name })}
        confirm={t("remove")}
        danger
        busy={busy}
        onConfirm={() => void remove()}
      >
        <p>{t("removeText")}</p>
      </ConfirmDialog>
    </>
  );
}
