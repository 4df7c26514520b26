import type { ConversationView } from "hubbub/chat";
import { useChat, useChatState, useConversations } from "hubbub/react";
import { Suspense, useCallback, useMemo, useState } from "react";
import { useCommands } from "../app/commands.ts";
import { later } from "../app/later.ts";
import { openPalette } from "../app/overlays.ts";
import { page } from "../app/page.ts";
import { currentRoute, go, useRoute } from "../app/router.ts";
import { useTexts } from "../i18n/index.ts";
import { change, settings, useSettings } from "../settings/store.ts";
import {
  Button,
  EmptyState,
  Icon,
  IconButton,
  Kbd,
  List,
  Menu,
  type RowProps,
  Skeleton,
  TextField,
} from "../ui/index.ts";
import { markRead, useConversationMenu } from "./actions.ts";
import { ConversationRow } from "./ConversationRow.tsx";
import { titleOf } from "./look.ts";
import { MeButton } from "./MeButton.tsx";
import { useMyId, useTitle } from "./names.ts";
import { Places } from "./Places.tsx";
import { foldKey, neighbour, type Row, rowsOf } from "./rows.ts";
import styles from "./Sidebar.module.css";
import { texts } from "./texts.ts";

const CreateDialog = later(() => import("./CreateDialog.tsx"));
const LeaveDialog = later(() => import("./LeaveDialog.tsx"));

/** Everything at the start side: the title, the places one can go to, all conversations, and oneself. */
export function Sidebar() {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId();
  const state = useChatState();
  const views = useConversations();
  const route = useRoute();
  const { unreadFirst, folded } = useSettings();
  const [filter, setFilter] = useState("");
  const [creating, setCreating] = useState<"direct" | "group" | null>(null);
  const [menu, setMenu] = useState<{ view: ConversationView; at: { x: number; y: number } } | null>(null);
  const [leaving, setLeaving] = useState<ConversationView | null>(null);
  const open = route.view === "conversation" ? route.conversation : undefined;

  const title = useCallback((view: ConversationView) => titleOf(view, me), [me]);
  const rows = useMemo(
    () => rowsOf(views, { filter, unreadFirst, folded, open, title }),
    [views, filter, unreadFirst, folded, open, title],
  );

  const step = (by: 1 | -1, unread = false) => {
    const at = currentRoute();
    const next = neighbour(rows, at.view === "conversation" ? at.conversation : undefined, by, unread);
    if (next !== undefined) go({ view: "conversation", conversation: next });
  };
  const group = t("conversations");
  useCommands([
    {
      id: "conversation.next",
      title: t("next"),
      group,
      keys: ["Alt+ArrowDown"],
      hidden: true,
      run: () => step(1),
    },
    {
      id: "conversation.previous",
      title: t("previous"),
      group,
      keys: ["Alt+ArrowUp"],
      hidden: true,
      run: () => step(-1),
    },
    {
      id: "conversation.unread",
      title: t("nextUnread"),
      group,
      icon: "bell",
      keys: ["Alt+Shift+ArrowDown"],
      run: () => step(1, true),
    },
    {
      id: "conversation.message",
      title: t("newMessage"),
      group,
      icon: "compose",
      keys: ["c"],
      run: () => setCreating("direct"),
    },
    {
      id: "conversation.create",
      title: t("newConversation"),
      group,
      icon: "group",
      run: () => setCreating("group"),
    },
    {
      id: "conversation.discover",
      title: t("discover"),
      group,
      icon: "hash",
      run: () => go({ view: "discover" }),
    },
    {
      id: "conversation.read",
      title: t("markAllRead"),
      group,
      icon: "checks",
      run: () => markRead(chat, views),
    },
    {
      id: "conversation.unread-first",
      title: t("toggleUnreadFirst"),
      group,
      icon: "list",
      run: () => change({ unreadFirst: !settings().unreadFirst }),
    },
    { id: "conversation.list", title: t("home"), group, icon: "list", keys: ["g l"], run: focusList },
  ]);

  const onMenu = useCallback(
    (view: ConversationView, at: { x: number; y: number }) => setMenu({ view, at }),
    [],
  );
  const row = (item: Row, props: RowProps) =>
    item.kind === "heading" ? (
      <Heading row={item} props={props} />
    ) : (
      <ConversationRow
        view={item.view}
        me={me}
        open={item.key === open}
        tabIndex={props.tabIndex}
        data-row={props["data-row"]}
        onMenu={onMenu}
      />
    );

  return (
    <div className={styles.sidebar}>
      <header className={styles.head}>
        <h1 className={styles.title}>{page.title}</h1>
        <IconButton icon="compose" label={t("newMessage")} keys="c" onClick={() => setCreating("direct")} />
        <IconButton icon="plus" label={t("newConversation")} onClick={() => setCreating("group")} />
      </header>
      <button type="button" className={styles.jump} onClick={() => openPalette()}>
        <Icon name="search" size={16} />
        <span className={styles.jumpText}>{t("jump")}</span>
        <Kbd keys="Mod+K" />
      </button>
      <Places />
      <div className={styles.filter}>
        <TextField
          label={t("filter")}
          hideLabel
          placeholder={t("filter")}
          type="search"
          icon="filter"
          quiet
          clearable
          value={filter}
          onChange={setFilter}
          onKeyDown={(event) => {
            if (event.key === "Escape" && filter !== "") {
              event.preventDefault();
              setFilter("");
            } else if (event.key === "ArrowDown") {
              event.preventDefault();
              focusList();
            }
          }}
        />
        <IconButton
          icon="unread"
          label={t("unreadFirst")}
          aria-pressed={unreadFirst}
          onClick={() => change({ unreadFirst: !unreadFirst })}
        />
      </div>
      {rows.length > 0 ? (
        <List
          id={LIST}
          items={rows}
          keyOf={keyOf}
          label={t("conversations")}
          height={heightOf}
          selected={open}
          onKeyDown={(event, item) => {
            const heading =
              item?.kind === "heading" && (event.key === "ArrowLeft" || event.key === "ArrowRight");
            if (heading) toggle(item);
          }}
        >
          {row}
        </List>
      ) : (
        <Nothing filter={filter} status={state.status} onWrite={() => setCreating("direct")} />
      )}
      <MeButton />
      <RowMenu menu={menu} onClose={() => setMenu(null)} onLeave={setLeaving} />
      <Suspense fallback={null}>
        {leaving !== null && <LeaveDialog view={leaving} onClose={() => setLeaving(null)} />}
        {creating !== null && <CreateDialog start={creating} onClose={() => setCreating(null)} />}
      </Suspense>
    </div>
  );
}

const LIST = "conversations";
const keyOf = (row: Row): string => row.key;
const heightOf = (row: Row): number => (row.kind === "heading" ? 32 : 52);

/** Put the focus on the open conversation in the list, or on the first one. */
export function focusList(): void {
  document.querySelector<HTMLElement>(`#${LIST} [data-row][tabindex="0"]`)?.focus();
}

function toggle(row: Extract<Row, { kind: "heading" }>): void {
  const key = foldKey(row.section);
  const { folded } = settings();
  change({ folded: folded.includes(key) ? folded.filter((each) => each !== key) : [...folded, key] });
}

function Heading({ row, props }: { row: Extract<Row, { kind: "heading" }>; props: RowProps }) {
  const t = useTexts(texts);
  return (
    <button
      {...props}
      type="button"
      className={styles.heading}
      aria-expanded={!row.folded}
      onClick={() => toggle(row)}
    >
      <span className={styles.chevron} data-folded={row.folded || undefined}>
        <Icon name="chevronDown" size={14} />
      </span>
      {t(row.section)}
      <span className={styles.headingCount}>{row.count}</span>
    </button>
  );
}

function RowMenu(props: {
  menu: { view: ConversationView; at: { x: number; y: number } } | null;
  onClose(): void;
  onLeave(view: ConversationView): void;
}) {
  const { menu, onClose, onLeave } = props;
  const t = useTexts(texts);
  const title = useTitle(menu?.view);
  const items = useConversationMenu(menu?.view, title, () => menu !== null && onLeave(menu.view));
  if (items.length === 0) return null;
  return (
    <Menu anchor={menu?.at ?? null} onClose={onClose} label={t("actions", { name: title })} items={items} />
  );
}

function Nothing({ filter, status, onWrite }: { filter: string; status: string; onWrite(): void }) {
  const t = useTexts(texts);
  if (filter !== "") return <EmptyState title={t("noMatch", { filter })} />;
  if (status === "failed") return <EmptyState icon="warning" title={t("failed")} />;
  if (status !== "live") {
    return (
      <div className={styles.loading} role="status" aria-label={t("loading")}>
        {Array.from({ length: 7 }, (_, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
          <div key={at} className={styles.ghost}>
            <Skeleton width={34} height={34} />
            <Skeleton lines={2} />
          </div>
        ))}
      </div>
    );
  }
  return (
    <EmptyState
      icon="thread"
      title={t("none")}
      action={
        <Button tone="primary" icon="compose" onClick={onWrite}>
          {t("newMessage")}
        </Button>
      }
    >
      {t("noneHint")}
    </EmptyState>
  );
}
