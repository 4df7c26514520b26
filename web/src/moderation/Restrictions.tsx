import type { Restriction, RestrictionKind } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { useState } from "react";
import { useTexts } from "../i18n/index.ts";
import { PagedList } from "../panes/PagedList.tsx";
import { usePaged } from "../panes/paged.ts";
import { Badge, Button, EmptyState, Select, toast, toastError } from "../ui/index.ts";
import { ConversationFilter, useModerated } from "./ConversationFilter.tsx";
import styles from "./moderation.module.css";
import { Name, Place, when } from "./names.tsx";
import { texts } from "./texts.ts";

const keyOf = (each: Restriction) => `${each.user} ${each.kind} ${each.conversation ?? ""}`;

/** Who is muted, banned or shadowed. */
export default function Restrictions({ office }: { office: boolean }) {
  const t = useTexts(texts);
  const chat = useChat();
  const [kind, setKind] = useState<RestrictionKind | "">("");
  const [chosen, setChosen] = useState("");
  const moderated = useModerated(office);
  const conversation = chosen || (office ? "" : (moderated[0]?.value ?? ""));
  const list = usePaged<Restriction>(JSON.stringify([kind, conversation]), (cursor) =>
    chat
      .call("restrictions.list", {
        ...(kind === "" ? {} : { kind }),
        ...(conversation === "" ? {} : { conversation }),
        cursor,
      })
      .then(({ restrictions, next }) => ({ items: restrictions, next })),
  );
  async function lift(each: Restriction) {
    const { user, conversation: where } = each;
    try {
      await chat.call("restrictions.lift", {
        user,
        kind: each.kind,
        ...(where === undefined ? {} : { conversation: where }),
      });
      list.change((all) => all.filter((one) => one !== each));
      toast(t("lifted"), { tone: "success" });
    } catch (error) {
      toastError(error);
    }
  }
  return (
    <>
      <div className={styles.filters}>
        <Select<RestrictionKind | "">
          label={t("kind")}
          value={kind}
          onChange={setKind}
          options={[
            { value: "", label: t("all") },
            ...(["mute", "ban", "shadow"] as const).map((value) => ({ value, label: t(value) })),
          ]}
        />
        <ConversationFilter office={office} value={conversation} onChange={setChosen} />
      </div>
      <PagedList
        list={list}
        label={t("restrictions")}
        keyOf={keyOf}
        empty={<EmptyState icon="shield" title={t("restrictionsNone")} />}
      >
        {(each) => (
          <div className={styles.row}>
            <Badge tone={each.kind === "ban" ? "danger" : "warning"}>{t(each.kind)}</Badge>
            <span className={styles.grow}>
              <strong>
                <Name user={each.user} />
              </strong>{" "}
              · <Place conversation={each.conversation} />
              <br />
              <span className={styles.soft}>
                {each.until === undefined ? t("forGood") : t("until", { when: when(each.until) })}
                {each.reason !== undefined && each.reason !== "" && ` · ${each.reason}`}
              </span>
            </span>
            <Button size="s" onClick={() => void lift(each)}>
              {t("lift")}
            </Button>
          </div>
        )}
      </PagedList>
    </>
  );
}
