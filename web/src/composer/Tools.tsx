import { useRef } from "react";
import { useTexts } from "../i18n/index.ts";
import { IconButton, MenuButton } from "../ui/index.ts";
import styles from "./Composer.module.css";
import { code, link, prefix, type Written, wrap } from "./format.ts";
import { texts } from "./texts.ts";

/** What stands below the field: what can be added, and how it is written and sent. */
export function Tools(props: {
  onFiles(files: readonly File[]): void;
  onOpen(kind: "poll" | "checklist" | "location" | "schedule"): void;
  onFormat(change: (written: Written) => Written): void;
  onEmoji(anchor: Element): void;
  preview: boolean;
  onPreview(): void;
  silent: boolean;
  onSilent(): void;
  expires: boolean;
  onExpires(): void;
  previews: boolean;
  onPreviews(): void;
  canSchedule: boolean;
}) {
  const t = useTexts(texts);
  const chooser = useRef<HTMLInputElement>(null);
  const { onOpen, onFormat } = props;
  return (
    <>
      <MenuButton
        icon="plus"
        size="s"
        label={t("add")}
        placement="above-start"
        items={[
          { label: t("attach"), icon: "attach", onSelect: () => chooser.current?.click() },
          { label: t("poll"), icon: "poll", onSelect: () => onOpen("poll") },
          { label: t("checklist"), icon: "list", onSelect: () => onOpen("checklist") },
          { label: t("location"), icon: "pin", onSelect: () => onOpen("location") },
          "separator",
          {
            label: t("schedule"),
            icon: "clock",
            disabled: !props.canSchedule,
            onSelect: () => onOpen("schedule"),
          },
          { label: t("silent"), checked: props.silent, onSelect: props.onSilent },
          { label: t("expires"), checked: props.expires, onSelect: props.onExpires },
          { label: t("noPreviews"), checked: !props.previews, onSelect: props.onPreviews },
        ]}
      />
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        aria-label={t("attach")}
        onChange={(event) => {
          props.onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <IconButton
        icon="emoji"
        size="s"
        label={t("emoji")}
        aria-haspopup="dialog"
        onClick={(event) => props.onEmoji(event.currentTarget)}
      />
      <span className={styles.formats} role="toolbar" aria-label={t("formatting")}>
        <IconButton
          icon="bold"
          size="s"
          label={t("bold")}
          keys="Mod+B"
          onClick={() => onFormat((written) => wrap(written, "**"))}
        />
        <IconButton
          icon="italic"
          size="s"
          label={t("italic")}
          keys="Mod+I"
          onClick={() => onFormat((written) => wrap(written, "_"))}
        />
        <IconButton
          icon="strike"
          size="s"
          label={t("strike")}
          keys="Mod+Shift+X"
          onClick={() => onFormat((written) => wrap(written, "~~"))}
        />
        <IconButton icon="code" size="s" label={t("code")} keys="Mod+E" onClick={() => onFormat(code)} />
        <IconButton
          icon="link"
          size="s"
          label={t("link")}
          keys="Mod+Shift+U"
          onClick={() => onFormat(link)}
        />
        <IconButton
          icon="quote"
          size="s"
          label={t("quote")}
          keys="Mod+Shift+9"
          onClick={() => onFormat((written) => prefix(written, "> "))}
        />
        <IconButton
          icon="list"
          size="s"
          label={t("list")}
          keys="Mod+Shift+8"
          onClick={() => onFormat((written) => prefix(written, "- "))}
        />
      </span>
      <IconButton
        icon={props.preview ? "edit" : "eye"}
        size="s"
        label={props.preview ? t("writeAgain") : t("preview")}
        aria-pressed={props.preview}
        onClick={props.onPreview}
      />
    </>
  );
}
