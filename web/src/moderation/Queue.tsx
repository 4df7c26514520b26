import type { Case, CaseState } from "hubbub/chat";
import { useChat, useHubbub } from "hubbub/react";
import { useEffect, useState } from "react";
import { href } from "../app/routes.ts";
import { gistOfPart } from "../conversations/look.ts";
import { useMyId } from "../conversations/names.ts";
import { formatRelative, useTexts } from "../i18n/index.ts";
import { PagedList } from "../panes/PagedList.tsx";
import { usePaged } from "../panes/paged.ts";
import { Badge, EmptyState, Select } from "../ui/index.ts";
import { ConversationFilter, useModerated } from "./ConversationFilter.tsx";
import styles from "./moderation.module.css";
import { Name, Place, useName } from "./names.tsx";
import { texts } from "./texts.ts";

type Shown = CaseState | "all";

/** What waits for moderators, the most urgent first; what changes meanwhile is there at once. */
export function Queue({ office }: { office: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const me = useMyId() ?? "";
  const [state, setState] = useState<Shown>("open");
  const [claimed, setClaimed] = useState<"" | "me">("");
  const [chosen, setChosen] = useState("");
  const moderated = useModerated(office);
  const conversation = chosen || (office ? "" : (moderated[0]?.value ?? ""));
  const list = usePaged<Case>(JSON.stringify([state, claimed, conversation]), (cursor) =>
    chat
      .call("cases.list", {
        ...(state === "all" ? {} : { state }),
        ...(claimed === "" ? {} : { claimed_by: me }),
        ...(conversation === "" ? {} : { conversation }),
        cursor,
      })
      .then(({ cases, next }) => ({ items: cases, next })),
  );
  useCaseChanges(conversation, list.again);
  return (
    <>
      <div className={styles.filters}>
        <Select<Shown>
          label={t("state")}
          value={state}
          onChange={setState}
          options={(["open", "appealed", "decided", "closed", "all"] as const).map((value) => ({
            value,
            label: value === "all" ? t("stateAll") : t(value),
          }))}
        />
        <Select<"" | "me">
          label={t("claimed")}
          value={claimed}
          onChange={setClaimed}
          options={[
            { value: "", label: t("anybody") },
            { value: "me", label: t("byMe") },
          ]}
        />
        <ConversationFilter office={office} value={conversation} onChange={setChosen} />
      </div>
      <PagedList
        list={list}
        label={t("queue")}
        keyOf={(each) => each.id}
        empty={
          <EmptyState icon="shield" title={t(state === "open" ? "queueNone" : "noneDecided")}>
            {t("queueNoneHint")}
          </EmptyState>
        }
      >
        {(each) => <CaseRow each={each} />}
      </PagedList>
    </>
  );
}

/** Look again when the channel of cases says that something has changed. */
export function useCaseChanges(conversation: string, again: () => void): void {
  const hubbub = useHubbub();
  useEffect(() => {
    const name = conversation === "" ? "cases:all" : `cases:${conversation}`;
    const subscription = hubbub.channel(name).subscribe(again);
    subscription.ready.catch(() => undefined); // then one sees what there is, and looks again by hand
    return () => subscription.unsubscribe();
  }, [hubbub, conversation, again]);
}

function CaseRow({ each }: { each: Case }) {
  const t = useTexts(texts);
  const me = useMyId();
  const claimer = useName(each.claimed_by ?? me);
  const said = (each.parts ?? []).map(gistOfPart).find((one) => one !== "");
  return (
    <a className={styles.case} href={href({ view: "moderation", rest: `case/${each.id}` })}>
      <span className={styles.line}>
        <Badge tone={each.subject === "hold" ? "warning" : "quiet"}>{t(each.subject)}</Badge>
        <strong>
          <Name user={each.user} />
        </strong>
        {each.conversation !== undefined && (
          <span className={styles.soft}>
            <Place conversation={each.conversation} />
          </span>
        )}
        <span className={styles.grow} />
        <time className={styles.soft}>{formatRelative(each.created)}</time>
      </span>
      {said !== undefined && (
        <span className={styles.clamp} dir="auto">
          {said}
        </span>
      )}
      <span className={styles.line}>
        {(each.reports ?? 0) > 0 && <Badge tone="danger">{t("reports", { count: each.reports ?? 0 })}</Badge>}
        {each.state !== "open" && <Badge>{t(each.state)}</Badge>}
        {each.claimed_by !== undefined && (
          <Badge tone="accent">
            {each.claimed_by === me ? t("claimedByMe") : t("claimedBy", { name: claimer })}
          </Badge>
        )}
        <span className={styles.soft}>{(each.reasons ?? []).join(", ")}</span>
      </span>
    </a>
  );
}
