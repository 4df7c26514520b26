import type { ConversationView } from "hubbub/chat";
import { useChat, useChatState, useConversation, usePresence } from "hubbub/react";
import { Suspense, useState } from "react";
import { useCommands } from "../app/commands.ts";
import { later } from "../app/later.ts";
import { closePane, currentRoute, go } from "../app/router.ts";
import { href, type Pane } from "../app/routes.ts";
import { formatRelative, useTexts } from "../i18n/index.ts";
import { Avatar, Badge, Button, EmptyState, Icon, IconButton, MenuButton, toastError } from "../ui/index.ts";
import { join, leave, mute, useConversationMenu } from "./actions.ts";
import styles from "./ConversationHeader.module.css";
import { iconOf, typingText } from "./look.ts";
import { useMyId, useNames, useTitle } from "./names.ts";
import { texts } from "./texts.ts";

const LeaveDialog = later(() => import("./LeaveDialog.tsx"));

/** What a conversation is, and what one can do with it as a whole. */
export function ConversationHeader({ conversation }: { conversation: string }) {
  const t = useTexts(texts);
  const view = useConversation(conversation);
  const state = useChatState();
  const title = useTitle(view);
  const me = useMyId();
  const peer = view?.peer;
  const other = peer === undefined || peer.id === me ? undefined : peer.id;
  const presence = usePresence(other);
  const [leaving, setLeaving] = useState<ConversationView | null>(null);
  const chat = useChat();
  const items = useConversationMenu(view, title, () => setLeaving(view ?? null));
  const icon = view === undefined ? undefined : iconOf(view, me);

  const group = t("conversations");
  useCommands([
    {
      id: "conversation.details",
      title: t("toggleDetails"),
      group,
      icon: "info",
      keys: ["Mod+."],
      run: () => toggle(conversation, { kind: "details" }),
    },
    {
      id: "conversation.search",
      title: t("search"),
      group,
      icon: "search",
      keys: ["Mod+Shift+F"],
      run: () => toggle(conversation, { kind: "search" }),
    },
    {
      id: "conversation.mute",
      title: view?.muted === true ? t("unmute") : t("mute"),
      group,
      icon: "bellOff",
      run: () => view !== undefined && mute(chat, conversation, view.muted ? null : 9e15),
    },
  ]);

  return (
    <header className={styles.header}>
      <a className={styles.back} href={href({ view: "home" })} aria-label={t("back")}>
        <Icon name="back" />
      </a>
      {view !== undefined && (
        <Avatar
          id={peer?.id ?? conversation}
          name={title}
          src={peer?.avatar ?? view.conversation.avatar}
          size={32}
          square={icon !== undefined}
          {...(icon === undefined ? {} : { icon })}
          presence={presence?.availability === "offline" ? undefined : presence?.availability}
        />
      )}
      <div className={styles.texts}>
        <h2 className={styles.title}>
          <button type="button" dir="auto" onClick={() => toggle(conversation, { kind: "details" })}>
            {title || (view === undefined && state.status === "live" ? t("unknown") : conversation)}
          </button>
          {view?.conversation.closed === true && <Badge>{t("closed")}</Badge>}
        </h2>
        {view !== undefined && <Subtitle view={view} me={me} />}
      </div>
      {view !== undefined && view.membership.state === "joined" && (
        <div className={styles.actions}>
          <IconButton
            icon="search"
            label={t("search")}
            keys="Mod+Shift+F"
            onClick={() => toggle(conversation, { kind: "search" })}
          />
          <span className={styles.wide}>
            <IconButton icon="pin" label={t("pins")} onClick={() => toggle(conversation, { kind: "pins" })} />
            {view.conversation.kind !== "direct" && (
              <IconButton
                icon="group"
                label={t("members", { count: view.conversation.members ?? 0 })}
                onClick={() => toggle(conversation, { kind: "members" })}
              />
            )}
          </span>
          <IconButton
            icon="info"
            label={t("details")}
            keys="Mod+."
            onClick={() => toggle(conversation, { kind: "details" })}
          />
          <MenuButton label={t("more")} items={items} />
        </div>
      )}
      {view !== undefined && view.membership.state === "invited" && (
        <div className={styles.actions}>
          <Button onClick={() => void leave(chat, conversation).catch(toastError)}>{t("decline")}</Button>
          <Button tone="primary" onClick={() => void join(chat, conversation).catch(toastError)}>
            {t("accept")}
          </Button>
        </div>
      )}
      {view !== undefined &&
        view.membership.state !== "joined" &&
        view.membership.state !== "invited" &&
        view.conversation.kind === "topic" && (
          <Button tone="primary" onClick={() => void join(chat, conversation).catch(toastError)}>
            {t("join")}
          </Button>
        )}
      <Suspense fallback={null}>
        {leaving !== null && <LeaveDialog view={leaving} onClose={() => setLeaving(null)} />}
      </Suspense>
    </header>
  );
}

/** Open a pane beside the conversation, or close it if it is open. */
function toggle(conversation: string, pane: Pane): void {
  const route = currentRoute();
  if (route.view === "conversation" && route.pane?.kind === pane.kind) closePane();
  else go({ view: "conversation", conversation, pane });
}

function Subtitle({ view, me }: { view: ConversationView; me: string | undefined }) {
  const t = useTexts(texts);
  const peer = view.peer?.id;
  const presence = usePresence(peer === me ? undefined : peer);
  const others = view.typing;
  const names = useNames(others.slice(0, 2));
  if (others.length > 0)
    return (
      <p className={styles.typing} dir="auto">
        {typingText(others, names)}
      </p>
    );
  if (view.conversation.kind !== "direct") {
    const count = t("members", { count: view.conversation.members ?? 0 });
    const topic = view.conversation.topic ?? "";
    return (
      <p className={styles.subtitle} dir="auto">
        {topic === "" ? count : `${count} · ${topic}`}
      </p>
    );
  }
  if (peer === undefined || peer === me || presence === undefined) return null;
  const seen = presence.availability === "offline" && presence.last_seen !== undefined;
  return (
    <p className={styles.subtitle} dir="auto">
      {seen ? t("seen", { when: formatRelative(presence.last_seen ?? 0) }) : t(presence.availability)}
    </p>
  );
}

/** In place of the messages of a conversation that is not there for one. */
export function UnknownConversation() {
  const t = useTexts(texts);
  return (
    <EmptyState icon="search" title={t("unknown")}>
      {t("unknownHint")}
    </EmptyState>
  );
}
