import { allowed } from "hubbub/chat";
import { useChat, useConversations, useView } from "hubbub/react";
import { later } from "../app/later.ts";
import { PageHeader } from "../app/PageHeader.tsx";
import { href } from "../app/routes.ts";
import { useTexts } from "../i18n/index.ts";
import { CaseView } from "./CaseView.tsx";
import { Mine } from "./Mine.tsx";
import styles from "./moderation.module.css";
import { Queue } from "./Queue.tsx";
import { texts } from "./texts.ts";

const Restrictions = later(() => import("./Restrictions.tsx"));
const Rules = later(() => import("./Rules.tsx"));
const Lists = later(() => import("./Lists.tsx"));
const Audit = later(() => import("./Audit.tsx"));

type Section = "queue" | "restrictions" | "rules" | "lists" | "audit" | "mine";

/** The queue of cases and what is with it. `rest` is what follows in the address: `#/moderation/<rest>`. */
export default function ModerationPage({ rest }: { rest: string }) {
  const t = useTexts(texts);
  const office = useView(useChat().me)?.office ?? "none";
  const moderates = useConversations().some(
    (view) => view.conversation.kind !== "direct" && allowed(view, "moderate"),
  );
  const sections: readonly Section[] = [
    ...(office !== "none" || moderates ? (["queue", "restrictions"] as const) : []),
    ...(office !== "none" ? (["rules", "lists"] as const) : []),
    ...(office === "admin" ? (["audit"] as const) : []),
    "mine",
  ];
  const [first = "", id] = rest.split("/");
  const known = first === "case" ? "queue" : sections.find((each) => each === first);
  const section = known ?? sections[0] ?? "mine";
  return (
    <>
      <PageHeader title={t("title")} />
      <nav className={styles.sections} aria-label={t("sections")}>
        {sections.map((each) => (
          <a
            key={each}
            className={styles.section}
            href={href({ view: "moderation", rest: each })}
            aria-current={each === section ? "page" : undefined}
          >
            {t(each)}
          </a>
        ))}
      </nav>
      <div className={styles.body}>
        <div className={styles.column}>
          {first === "case" && id !== undefined ? (
            <CaseView key={id} id={id} office={office !== "none"} />
          ) : (
            <Content section={section} office={office} />
          )}
        </div>
      </div>
    </>
  );
}

function Content({ section, office }: { section: Section; office: "none" | "moderator" | "admin" }) {
  switch (section) {
    case "queue":
      return <Queue office={office !== "none"} />;
    case "restrictions":
      return <Restrictions office={office !== "none"} />;
    case "rules":
      return <Rules admin={office === "admin"} />;
    case "lists":
      return <Lists admin={office === "admin"} />;
    case "audit":
      return <Audit />;
    case "mine":
      return <Mine />;
  }
}
