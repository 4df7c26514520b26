import type { MyCase, Report } from "hubbub/chat";
import { useChat, useHubbub, useView } from "hubbub/react";
import { useEffect, useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { PagedList } from "../panes/PagedList.tsx";
import { usePaged } from "../panes/paged.ts";
import { Badge, Button, Dialog, EmptyState, TextArea, toast, toastError } from "../ui/index.ts";
import styles from "./moderation.module.css";
import { Place, when } from "./names.tsx";
import { texts } from "./texts.ts";

/** What moderators have decided about oneself, and what became of one's reports. */
export function Mine() {
  const t = useTexts(texts);
  const chat = useChat();
  const restrictions = useView(chat.restrictions);
  const cases = usePaged<MyCase>("mine", (cursor) =>
    chat.call("cases.mine", { cursor }).then((page) => ({ items: page.cases, next: page.next })),
  );
  const reports = usePaged<Report>("reports", (cursor) =>
    chat.call("reports.list", { cursor }).then((page) => ({ items: page.reports, next: page.next })),
  );
  const { again } = cases;
  const { again: reportsAgain } = reports;
  useEffect(
    () =>
      chat.on("event", ({ type }) => {
        if (type === "case.decided" || type === "appeal.answered") again();
        if (type === "report.decided") reportsAgain();
      }),
    [chat, again, reportsAgain],
  );
  const [appealing, setAppealing] = useState<MyCase>();
  return (
    <>
      {restrictions.length > 0 && (
        <section className={styles.box} aria-label={t("myRestrictions")}>
          <h3>{t("myRestrictions")}</h3>
          <ul className={styles.rows}>
            {restrictions.map((each) => (
              <li key={`${each.kind} ${each.conversation ?? ""}`} className={styles.row}>
                <Badge tone="danger">{t(each.kind)}</Badge>
                <Place conversation={each.conversation} />
                <span className={styles.soft}>
                  {each.until === undefined ? t("forGood") : t("until", { when: when(each.until) })}
                </span>
                {each.reason}
              </li>
            ))}
          </ul>
        </section>
      )}
      <PagedList
        list={cases}
        label={t("myCases")}
        keyOf={(each) => each.case}
        empty={
          <EmptyState icon="shield" title={t("mineNone")}>
            {t("mineNoneHint")}
          </EmptyState>
        }
      >
        {(each) => <MyCaseRow each={each} onAppeal={() => setAppealing(each)} />}
      </PagedList>
      {(reports.items?.length ?? 0) > 0 && (
        <section className={styles.box} aria-label={t("myReports")}>
          <h3>{t("myReports")}</h3>
          <PagedList list={reports} label={t("myReports")} keyOf={(each) => each.case} empty={null}>
            {(each) => (
              <div className={styles.row}>
                <Badge>{each.reason}</Badge>
                <span className={styles.grow}>{each.note}</span>
                <span className={styles.soft}>
                  {t(each.state === "decided" || each.state === "closed" ? "reportDone" : "reportOpen")},{" "}
                  {when(each.created)}
                </span>
              </div>
            )}
          </PagedList>
        </section>
      )}
      {appealing !== undefined && (
        <AppealDialog
          each={appealing}
          onClose={(done) => {
            setAppealing(undefined);
            if (done) again();
          }}
        />
      )}
    </>
  );
}

function MyCaseRow({ each, onAppeal }: { each: MyCase; onAppeal(): void }) {
  const t = useTexts(texts);
  const now = useHubbub().time();
  const appealable =
    each.appealed === undefined && each.appeal_until !== undefined && each.appeal_until > now;
  return (
    <div className={styles.row}>
      <Badge tone="warning">{t(each.action)}</Badge>
      <span className={styles.grow}>
        <Place conversation={each.conversation} />
        {each.text !== undefined && each.text !== "" && <span dir="auto">: “{each.text}”</span>}
        <br />
        <span className={styles.soft}>
          {when(each.time)}
          {each.until !== undefined && ` · ${t("until", { when: when(each.until) })}`}
          {each.granted !== undefined && ` · ${t("appeal")}: ${t(each.granted ? "granted" : "refused")}`}
          {each.state === "appealed" && ` · ${t("waits")}`}
          {appealable && ` · ${t("appealUntil", { when: when(each.appeal_until ?? 0) })}`}
        </span>
      </span>
      {appealable && (
        <Button size="s" onClick={onAppeal}>
          {t("appealIt")}
        </Button>
      )}
    </div>
  );
}

function AppealDialog({ each, onClose }: { each: MyCase; onClose(done: boolean): void }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  async function appeal() {
    if (text.trim() === "") return;
    setBusy(true);
    try {
      await chat.call("cases.appeal", { case: each.case, text: text.trim() });
      toast(t("appealDone"), { tone: "success" });
      onClose(true);
    } catch (error) {
      toastError(error);
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={() => onClose(false)}
      title={t("appealTitle")}
      onSubmit={() => void appeal()}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t("cancel")}</Button>
          <Button tone="primary" type="submit" busy={busy} disabled={text.trim() === ""}>
            {t("appealIt")}
          </Button>
        </>
      }
    >
      <TextArea label={t("appealText")} hint={t("appealHint")} value={text} onChange={setText} />
    </Dialog>
  );
}
