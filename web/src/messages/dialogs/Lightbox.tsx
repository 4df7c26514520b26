import type { FilePart } from "hubbub/chat";
import { type KeyboardEvent, useState } from "react";
import { useTexts } from "../../i18n/index.ts";
import { Dialog, IconButton, Spinner } from "../../ui/index.ts";
import { FileCard } from "../parts/Files.tsx";
import { texts } from "../texts.ts";
import { useFileUrl } from "../useFileUrl.ts";
import styles from "./Lightbox.module.css";

/** A picture as large as the window lets it be; arrows go to the ones beside it. */
export default function Lightbox(props: { files: readonly FilePart[]; start: number; onClose(): void }) {
  const t = useTexts(texts);
  const { files, onClose } = props;
  const [at, setAt] = useState(props.start);
  const part = files[at];
  const url = useFileUrl(part?.file);
  if (part === undefined) return null;
  const step = (by: number) => setAt((at + by + files.length) % files.length);
  const key = (event: KeyboardEvent) => {
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
  };
  const name = part.caption || part.name || "";
  return (
    <Dialog open onClose={onClose} title={name || t("picture", { name: "" })} size="l">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the buttons do the same */}
      <div className={styles.frame} onKeyDown={key}>
        {typeof url === "string" ? (
          <img className={styles.picture} src={url} alt={name} width={part.width} height={part.height} />
        ) : (
          <Spinner label={t("loading")} />
        )}
        <div className={styles.bar}>
          {files.length > 1 && (
            <IconButton icon="back" label={t("previousPicture")} onClick={() => step(-1)} />
          )}
          <FileCard part={part} />
          {files.length > 1 && (
            <IconButton icon="chevronEnd" label={t("nextPicture")} onClick={() => step(1)} data-autofocus />
          )}
        </div>
      </div>
    </Dialog>
  );
}
