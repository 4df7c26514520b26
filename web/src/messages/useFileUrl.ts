import { useChat } from "hubbub/react";
import { useEffect, useState } from "react";

/** Where a file (or its thumbnail) can be read from; undefined until that is known, null where it cannot be read. */
export function useFileUrl(file: string | undefined, thumbnail?: number): string | null | undefined {
  const chat = useChat();
  const [found, setFound] = useState<{ of: string; url: string | null }>();
  const of = `${file} ${thumbnail ?? ""}`;
  useEffect(() => {
    if (file === undefined) return;
    let wanted = true;
    chat.fileUrl(file, thumbnail === undefined ? {} : { thumbnail }).then(
      (url) => wanted && setFound({ of, url }),
      () => wanted && setFound({ of, url: null }),
    );
    return () => {
      wanted = false;
    };
  }, [chat, file, thumbnail, of]);
  return found?.of === of ? found.url : undefined;
}
