import type { MessageItem, MessageVersion } from "hubbub/chat";
import { useEffect, useState } from "react";
import { formatDay, formatTime, useTexts } from "../../i18n/index.ts";
import { Dialog, Spinner, toastError } from "../../ui/index.ts";
import { PlainPart } from "../parts/Parts.tsx";
import { useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./dialogs.module.css";

/** What a message has said, the newest first. */
export default function VersionsDialog({ item, onClose }: { item: MessageItem; onClose(): void }) {
  const t = useTexts(texts);
  const { chat, conversation } = useRoom();
  const [versions, setVersions] = useState<readonly MessageVersion[]>();
  const { seq, version } = item.message;
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when it is edited meanwhile
  useEffect(() => {
    let wanted = true;
    chat.call("messages.versions", { conversation, message: seq }).then(
      (page) => wanted && setVersions([...page.versions].reverse()),
      (error: unknown) => {
        toastError(error);
        if (wanted) setVersions([]);
      },
    );
    return () => {
      wanted = false;
    };
  }, [chat, conversation, seq, version]);
  return (
    <Dialog open onClose={onClose} title={t("versions")}>
      {versions === undefined ? (
        <Spinner label={t("loading")} />
      ) : versions.length === 0 ? (
        <p>{t("versionsNone")}</p>
      ) : (
        <ol>
          {versions.map((each) => (
            <li key={each.version} className={styles.version}>
              <span className={styles.soft}>
                {formatDay(each.time)}, {formatTime(each.time)}
              </span>
              {each.parts.map((part, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: they never change
                <PlainPart key={at} part={part} />
              ))}
            </li>
          ))}
        </ol>
      )}
    </Dialog>
  );
}
