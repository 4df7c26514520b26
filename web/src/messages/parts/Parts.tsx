import type { FilePart, MessageItem, Part } from "hubbub/chat";
import type { ReactNode } from "react";
import { useTexts } from "../../i18n/index.ts";
import { Text } from "../Text.tsx";
import { texts } from "../texts.ts";
import { Card } from "./Card.tsx";
import { Checklist } from "./Checklist.tsx";
import { FileCard, Pictures, Sound } from "./Files.tsx";
import { Embed } from "./Links.tsx";
import { Location } from "./Location.tsx";
import styles from "./Parts.module.css";
import { Poll } from "./Poll.tsx";

/** All that a message says. `edited` stands behind its last text. */
export function Parts({ item, edited }: { item: MessageItem; edited?: ReactNode }) {
  const { message } = item;
  const parts = message.parts ?? [];
  const last = parts.findLastIndex((part) => part.type === "text");
  const shown: ReactNode[] = [];
  let pictures: FilePart[] = [];
  const show = () => {
    if (pictures.length > 0) shown.push(<Pictures key={`pictures ${shown.length}`} files={pictures} />);
    pictures = [];
  };
  for (const [at, part] of parts.entries()) {
    if (part.type === "file" && isPicture(part)) {
      pictures.push(part);
      continue;
    }
    show();
    shown.push(<PartOf key={at} part={part} item={item} />);
    if (at === last && edited) shown.push(<span key="edited">{edited}</span>);
  }
  show();
  return (
    <>
      {shown}
      {last < 0 && edited}
    </>
  );
}

export const isPicture = (part: FilePart) =>
  /^image\/(png|jpeg|gif|webp|avif)/.test(part.media_type ?? "") && (part.width ?? 0) > 0;

function PartOf({ part, item }: { part: Part; item: MessageItem }) {
  const { message } = item;
  switch (part.type) {
    case "poll":
      return <Poll part={part} item={item} />;
    case "checklist":
      return <Checklist part={part} item={item} />;
    case "card":
      return <Card part={part} item={item} />;
    default:
      return <PlainPart part={part} mentions={message.mentions} jumbo={message.parts?.length === 1} />;
  }
}

/** Parts that need no message: as in private answers. */
export function PlainPart(props: {
  part: Part;
  mentions?: MessageItem["message"]["mentions"];
  jumbo?: boolean;
}) {
  const { part, mentions, jumbo = false } = props;
  const t = useTexts(texts);
  switch (part.type) {
    case "text":
      return <Text text={part.text} format={part.format} mentions={mentions} jumbo={jumbo} />;
    case "file":
      if (isPicture(part)) return <Pictures files={[part]} />;
      if (/^(audio|video)\//.test(part.media_type ?? "")) return <Sound part={part} />;
      return <FileCard part={part} />;
    case "embed":
      return <Embed {...part} />;
    case "location":
      return <Location part={part} />;
    case "data":
      return (
        <details className={styles.data}>
          <summary>{t("data")}</summary>
          <pre dir="ltr">{JSON.stringify(part.data, null, 2)}</pre>
        </details>
      );
    case "poll":
    case "checklist":
    case "card":
      return null;
    default:
      return <p className={styles.unknown}>{t("nothing")}</p>;
  }
}
