import type { FilePart } from "hubbub/chat";
import { useChat } from "hubbub/react";
import { Suspense, useState } from "react";
import { later } from "../../app/later.ts";
import { formatSize, useTexts } from "../../i18n/index.ts";
import { cx, Icon, Skeleton, toastError } from "../../ui/index.ts";
import { texts } from "../texts.ts";
import { useFileUrl } from "../useFileUrl.ts";
import styles from "./Files.module.css";

const Lightbox = later(() => import("../dialogs/Lightbox.tsx"));

/** Pictures that stand together. Their room is known before they are there, so that nothing moves. */
export function Pictures({ files }: { files: readonly FilePart[] }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <>
      <div className={cx(styles.pictures, files.length > 1 && styles.many)}>
        {files.map((part, at) => (
          <Picture key={part.file} part={part} alone={files.length === 1} onOpen={() => setOpen(at)} />
        ))}
      </div>
      {open !== null && (
        <Suspense fallback={null}>
          <Lightbox files={files} start={open} onClose={() => setOpen(null)} />
        </Suspense>
      )}
    </>
  );
}

const WIDE = 400; // px, at most
const HIGH = 300;

/** The size at which a picture of this size is shown. */
export function fitted(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, WIDE / width, HIGH / height);
  return { width: Math.max(48, Math.round(width * scale)), height: Math.max(32, Math.round(height * scale)) };
}

/** The smallest thumbnail that is sharp at a width, by its place; undefined: the picture itself. */
export function thumbnailFor(part: FilePart, width: number): number | undefined {
  const fitting = (part.thumbnails ?? [])
    .map((each, at) => ({ at, width: each.width }))
    .sort((a, b) => a.width - b.width);
  const wanted = width * Math.min(2, globalThis.devicePixelRatio ?? 1);
  return (fitting.find((each) => each.width >= wanted) ?? (fitting.length > 0 ? fitting.at(-1) : undefined))
    ?.at;
}

function Picture({ part, alone, onOpen }: { part: FilePart; alone: boolean; onOpen(): void }) {
  const t = useTexts(texts);
  const name = part.caption || part.name || "";
  const size = alone ? fitted(part.width ?? WIDE, part.height ?? HIGH) : { width: 160, height: 120 };
  const url = useFileUrl(part.file, thumbnailFor(part, size.width));
  const [broken, setBroken] = useState(false);
  return (
    <figure className={styles.figure}>
      <button
        type="button"
        className={styles.picture}
        style={{ inlineSize: size.width, aspectRatio: `${size.width} / ${size.height}` }}
        aria-label={t("openPicture", { name: name || t("picture", { name: "" }) })}
        onClick={onOpen}
      >
        {url === null || broken ? (
          <span className={styles.broken}>
            <Icon name="image" size={22} /> {t("cannotLoad")}
          </span>
        ) : url === undefined ? (
          <Skeleton height={size.height} />
        ) : (
          <img
            src={url}
            alt={name}
            width={size.width}
            height={size.height}
            decoding="async"
            onError={() => setBroken(true)}
          />
        )}
      </button>
      {part.caption !== undefined && part.caption !== "" && (
        <figcaption className={styles.caption} dir="auto">
          {part.caption}
        </figcaption>
      )}
    </figure>
  );
}

/** Audio and video, played in place. */
export function Sound({ part }: { part: FilePart }) {
  const url = useFileUrl(part.file);
  const video = part.media_type?.startsWith("video/") === true;
  const label = part.caption || part.name;
  return (
    <div className={styles.sound}>
      {typeof url !== "string" ? (
        <Skeleton height={video ? 200 : 40} />
      ) : video ? (
        // biome-ignore lint/a11y/useMediaCaption: there are none
        <video src={url} controls preload="metadata" aria-label={label} className={styles.video} />
      ) : (
        // biome-ignore lint/a11y/useMediaCaption: there are none
        <audio src={url} controls preload="metadata" aria-label={label} className={styles.audio} />
      )}
      <FileCard part={part} />
    </div>
  );
}

/** Any other file: what it is, how large, and how to get it. */
export function FileCard({ part }: { part: FilePart }) {
  const t = useTexts(texts);
  const chat = useChat();
  const name = part.name || part.file;
  const download = async () => {
    try {
      const link = document.createElement("a");
      link.href = await chat.fileUrl(part.file, { download: true });
      link.download = name;
      link.rel = "noopener";
      link.click();
    } catch (error) {
      toastError(error);
    }
  };
  const ending = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1]?.toUpperCase();
  return (
    <button
      type="button"
      className={styles.file}
      aria-label={t("download", { name })}
      onClick={() => void download()}
    >
      <span className={styles.kind}>
        <Icon name="file" size={20} />
      </span>
      <span className={styles.fileText}>
        <span className={styles.fileName} dir="auto">
          {name}
        </span>
        <span className={styles.small}>
          {[part.size !== undefined && formatSize(part.size), ending].filter(Boolean).join(" · ")}
          {part.caption ? ` · ${part.caption}` : ""}
        </span>
      </span>
      <Icon name="download" size={16} />
    </button>
  );
}
