import type { Message } from "hubbub/chat";
import { useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { IconButton, toastError } from "../../ui/index.ts";
import { safeHref } from "../markdown.ts";
import { may, useRoom } from "../room.ts";
import { texts } from "../texts.ts";
import styles from "./Parts.module.css";

interface Shown {
  url: string;
  title?: string | undefined;
  description?: string | undefined;
  site?: string | undefined;
  image?: string | undefined;
  onRemove?: () => void;
}

/** Something elsewhere, as it says of itself. */
export function Embed(props: Shown) {
  const t = useTexts(texts);
  const { url, title, description, site, image, onRemove } = props;
  const [broken, setBroken] = useState(false);
  const href = safeHref(url);
  if (href === undefined) return null;
  return (
    <div className={styles.link}>
      <div className={styles.linkText}>
        <span className={styles.small}>{site ?? new URL(url).hostname}</span>
        <a href={href} target="_blank" rel="noopener noreferrer nofollow" dir="auto">
          {title ?? url}
        </a>
        {description !== undefined && (
          <p className={styles.description} dir="auto">
            {description}
          </p>
        )}
      </div>
      {image !== undefined && !broken && (
        <img
          className={styles.linkImage}
          src={image}
          alt=""
          width={72}
          height={72}
          loading="lazy"
          onError={() => setBroken(true)}
        />
      )}
      {onRemove !== undefined && (
        <IconButton icon="close" size="s" label={t("removePreview")} onClick={onRemove} />
      )}
    </div>
  );
}

/** What the server has found behind a message's links. */
export function Previews({ message }: { message: Message }) {
  const { chat, conversation, me, ...room } = useRoom();
  const all = message.annotations?.previews?.filter((each) => each.removed !== true) ?? [];
  const can = message.sender === me || may(room, "delete_any");
  return all.map((preview) => (
    <Embed
      key={preview.url}
      {...preview}
      {...(can && {
        onRemove: () =>
          void chat
            .call("previews.remove", { conversation, message: message.seq, url: preview.url })
            .catch(toastError),
      })}
    />
  ));
}
