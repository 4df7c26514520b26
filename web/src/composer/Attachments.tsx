import type { Uploads } from "hubbub/react";
import { useEffect, useState } from "react";
import { formatSize, useTexts } from "../i18n/index.ts";
import { cx, Icon, IconButton } from "../ui/index.ts";
import styles from "./Attachments.module.css";
import { texts } from "./texts.ts";

/** Files that are to be sent: how far they are, what they show, and a way to take them back. */
export function Attachments(props: {
  uploads: Uploads;
  captions: ReadonlyMap<number, string>;
  onCaption(id: number, caption: string): void;
  /** One was taken away, and with it what had the focus. */
  onRemoved(): void;
}) {
  const t = useTexts(texts);
  const { uploads, captions, onCaption, onRemoved } = props;
  if (uploads.items.length === 0) return null;
  return (
    <ul className={styles.list} aria-label={t("files")}>
      {uploads.items.map((item) => (
        <li key={item.id} className={cx(styles.item, item.status === "failed" && styles.failed)}>
          <Thumb source={item.source} />
          <div className={styles.texts}>
            <span className={styles.name} dir="auto">
              {item.name}
            </span>
            <span className={styles.state} role="status">
              {item.status === "failed"
                ? (item.error?.message ?? t("failed"))
                : item.status === "done"
                  ? formatSize(item.total)
                  : item.status === "checking"
                    ? t("checking")
                    : t("uploading", {
                        percent: `${Math.round((item.sent / Math.max(1, item.total)) * 100)} %`,
                        size: formatSize(item.total),
                      })}
            </span>
            {item.status === "done" ? (
              <input
                className={styles.alt}
                aria-label={t("alt", { name: item.name })}
                placeholder={t("altHint")}
                maxLength={1000}
                value={captions.get(item.id) ?? ""}
                onChange={(event) => onCaption(item.id, event.target.value)}
              />
            ) : (
              item.status !== "failed" && (
                <progress
                  className={styles.progress}
                  aria-label={item.name}
                  value={item.sent}
                  max={Math.max(1, item.total)}
                />
              )
            )}
          </div>
          {item.status === "failed" && (
            <IconButton
              icon="refresh"
              size="s"
              label={t("retry", { name: item.name })}
              onClick={() => {
                uploads.remove(item.id);
                uploads.upload(item.source, item.name).catch(() => undefined); // the item says it
              }}
            />
          )}
          <IconButton
            icon="close"
            size="s"
            label={t("remove", { name: item.name })}
            onClick={() => {
              uploads.remove(item.id);
              onRemoved();
            }}
          />
        </li>
      ))}
    </ul>
  );
}

function Thumb({ source }: { source: Blob }) {
  const picture = /^image\/(png|jpeg|gif|webp|avif)$/.test(source.type);
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (!picture) return;
    const made = URL.createObjectURL(source);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [source, picture]);
  return (
    <span className={styles.thumb}>
      {url === undefined ? <Icon name="file" size={20} /> : <img src={url} alt="" width={44} height={44} />}
    </span>
  );
}
