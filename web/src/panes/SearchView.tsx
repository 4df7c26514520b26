import type { ConversationView, Message, SearchHit } from "hubbub/chat";
import { useChat, useConversations, useUser } from "hubbub/react";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { announce } from "../app/announce.ts";
import { useMyId } from "../conversations/names.ts";
import { UserPicker } from "../conversations/UserPicker.tsx";
import { useTexts } from "../i18n/index.ts";
import { Button, EmptyState, Icon, Popover, Select, TextField } from "../ui/index.ts";
import { MessageCard } from "./MessageCard.tsx";
import { PagedList } from "./PagedList.tsx";
import { type Paged, usePaged } from "./paged.ts";
import styles from "./panes.module.css";
import { nameOf } from "./places.ts";
import { dayOf, type Has, parseQuery, type Query, writeQuery } from "./query.ts";
import { texts } from "./texts.ts";

type Order = "newest" | "relevance";

const PAUSE = 250; // milliseconds without a key, before it is searched
const PAGES = 5; // that are looked through for a page with files, links, ...

/** A field, filters, and what is found: everywhere, or in one conversation. */
export function SearchView(props: {
  written: string;
  onWrite(written: string): void;
  conversation?: string;
}) {
  const t = useTexts(texts);
  const { written, onWrite, conversation } = props;
  const [order, setOrder] = useState<Order>("relevance");
  const field = useRef<HTMLInputElement>(null);
  const query = useMemo(() => parseQuery(written), [written]);
  const { list, suggestion, hits } = useSearch(query, order, conversation);
  useEffect(() => {
    const frame = requestAnimationFrame(() => field.current?.focus()); // after the pane was given the focus
    return () => cancelAnimationFrame(frame);
  }, []);
  useEffect(() => {
    if (hits !== undefined) announce(t("results", { count: hits }));
  }, [hits, t]);
  const set = (change: { [K in keyof Query]?: Query[K] | undefined }) => {
    const next = { ...query, ...change };
    onWrite(writeQuery(next as Query));
  };

  return (
    <>
      <search className={styles.tools}>
        <TextField
          ref={field}
          label={t("search")}
          hideLabel
          type="search"
          icon="search"
          clearable
          placeholder={conversation === undefined ? t("search") : t("searchHere")}
          value={written}
          onChange={onWrite}
          data-autofocus
        />
        <div className={styles.filters}>
          <From id={query.from} onChange={(from) => set({ from })} />
          {conversation === undefined && <In value={query.in} onChange={(to) => set({ in: to })} />}
          <TextField
            label={t("after")}
            type="date"
            value={query.after ?? ""}
            onChange={(to) => set({ after: to === "" ? undefined : to })}
          />
          <TextField
            label={t("before")}
            type="date"
            value={query.before ?? ""}
            onChange={(to) => set({ before: to === "" ? undefined : to })}
          />
          <Select<Has | "">
            label={t("has")}
            value={query.has ?? ""}
            onChange={(to) => set({ has: to === "" ? undefined : to })}
            options={[
              { value: "", label: t("hasAny") },
              { value: "file", label: t("hasFile") },
              { value: "image", label: t("hasImage") },
              { value: "link", label: t("hasLink") },
              { value: "poll", label: t("hasPoll") },
            ]}
          />
          <Select<Order>
            label={t("order")}
            value={order}
            onChange={setOrder}
            options={[
              { value: "relevance", label: t("relevance") },
              { value: "newest", label: t("newest") },
            ]}
          />
        </div>
      </search>
      <div className={styles.body}>
        {query.text === "" ? (
          <EmptyState
            icon="search"
            title={conversation === undefined ? t("searchStart") : t("searchStartHere")}
          >
            {t("searchStartHint")}
          </EmptyState>
        ) : (
          <Results list={list} where={conversation === undefined}>
            {suggestion !== undefined && (
              <Button onClick={() => set({ text: suggestion })}>
                {t("didYouMean")} “{suggestion}”?
              </Button>
            )}
          </Results>
        )}
      </div>
    </>
  );
}

function Results(props: { list: Paged<SearchHit>; where: boolean; children: ReactNode }) {
  const t = useTexts(texts);
  return (
    <PagedList
      list={props.list}
      label={t("search")}
      keyOf={(hit) => `${hit.message.conversation} ${hit.message.seq}`}
      empty={
        <EmptyState icon="search" title={t("searchNone")} action={props.children}>
          {t("searchNoneHint")}
        </EmptyState>
      }
    >
      {(hit) => (
        <MessageCard message={hit.message} where={props.where} snippet={hit.snippet} marks={hit.marks} />
      )}
    </PagedList>
  );
}

/** What is found, page by page. The server knows nothing of `has`: that is sifted here. */
function useSearch(query: Query, order: Order, conversation: string | undefined) {
  const chat = useChat();
  const views = useConversations();
  const me = useMyId();
  const key = JSON.stringify([query, order, conversation]);
  const [settled, setSettled] = useState(key);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(key), PAUSE);
    return () => clearTimeout(timer);
  }, [key]);
  const [suggestion, setSuggestion] = useState<string>();
  const list = usePaged<SearchHit>(query.text === "" ? null : settled, async (cursor) => {
    const within = conversation ?? (query.in === undefined ? undefined : idOf(query.in, views, me));
    const items: SearchHit[] = [];
    let next = cursor;
    for (let page = 0; page < PAGES; page++) {
      const found = await chat.search({
        query: query.text,
        order,
        limit: 30,
        prefix: true,
        ...(within === undefined ? {} : { conversation: within }),
        ...(query.from === undefined ? {} : { sender: query.from === "me" ? (me ?? "") : query.from }),
        ...(query.after === undefined ? {} : { after: dayOf(query.after) }),
        ...(query.before === undefined ? {} : { before: dayOf(query.before) }),
        ...(next === undefined ? {} : { cursor: next }),
      });
      if (cursor === undefined) setSuggestion(found.did_you_mean);
      items.push(...found.hits.filter((hit) => query.has === undefined || has(hit.message, query.has)));
      next = found.next;
      if (next === undefined || query.has === undefined || items.length >= 10) break;
    }
    return { items, next };
  });
  return { list, suggestion, hits: list.busy ? undefined : list.items?.length };
}

/** The id of a conversation that is called so; what it is, where none is. */
function idOf(name: string, views: readonly ConversationView[], me: string | undefined): string {
  const sought = name.toLocaleLowerCase();
  const found =
    views.find(({ conversation }) => conversation.id === name) ??
    views.find((view) => nameOf(view, "", me).toLocaleLowerCase() === sought);
  return found?.conversation.id ?? name;
}

function has(message: Message, what: Has): boolean {
  return (message.parts ?? []).some((part) => {
    switch (part.type) {
      case "file":
        return what === "file" || (what === "image" && part.media_type?.startsWith("image/") === true);
      case "text":
        return what === "link" && /https?:\/\//.test(part.text);
      case "embed":
        return what === "link";
      case "poll":
        return what === "poll";
      default:
        return false;
    }
  });
}

function In({ value, onChange }: { value: string | undefined; onChange(to: string | undefined): void }) {
  const t = useTexts(texts);
  const me = useMyId();
  const views = useConversations();
  const current = value === undefined ? "" : idOf(value, views, me);
  const known = views.some((view) => view.id === current);
  return (
    <Select
      label={t("in")}
      value={current}
      onChange={(id) => {
        const view = views.find((each) => each.id === id);
        onChange(view === undefined ? undefined : nameFor(view, views, me));
      }}
      options={[
        { value: "", label: t("anywhere") },
        ...(current === "" || known ? [] : [{ value: current, label: current }]),
        ...views.map((view) => ({ value: view.id, label: nameOf(view, view.id, me) })),
      ]}
    />
  );
}

/** How a conversation is written into the field: by its name, if that says which it is. */
function nameFor(view: ConversationView, views: readonly ConversationView[], me: string | undefined): string {
  const name = nameOf(view, view.id, me);
  return idOf(name, views, me) === view.id && !name.includes('"') ? name : view.id;
}

function From({ id, onChange }: { id: string | undefined; onChange(to: string | undefined): void }) {
  const t = useTexts(texts);
  const user = useUser(id === "me" ? undefined : id);
  const [anchor, setAnchor] = useState<Element | null>(null);
  const close = () => setAnchor(null);
  return (
    <div className={styles.filter}>
      <span className={styles.filterLabel}>{t("from")}</span>
      <button
        type="button"
        className={styles.filterButton}
        aria-haspopup="dialog"
        aria-expanded={anchor !== null}
        onClick={(event) => setAnchor(anchor === null ? event.currentTarget : null)}
      >
        <span className={styles.linkText}>
          {id === undefined ? t("anybody") : id === "me" ? t("me") : user?.name || id}
        </span>
        <Icon name="chevronDown" size={14} />
      </button>
      <Popover anchor={anchor} onClose={close} label={t("from")} padded>
        <div className={styles.picker}>
          <div className={styles.buttons}>
            <Button
              size="s"
              onClick={() => {
                onChange(undefined);
                close();
              }}
            >
              {t("anybody")}
            </Button>
            <Button
              size="s"
              onClick={() => {
                onChange("me");
                close();
              }}
            >
              {t("me")}
            </Button>
          </div>
          <UserPicker
            label={t("people")}
            chosen={[]}
            onChange={() => undefined}
            onPick={(picked) => {
              onChange(picked.id);
              close();
            }}
          />
        </div>
      </Popover>
    </div>
  );
}
