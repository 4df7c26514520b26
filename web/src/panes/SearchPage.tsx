import { useEffect, useRef, useState } from "react";
import { PageHeader } from "../app/PageHeader.tsx";
import { currentRoute, go } from "../app/router.ts";
import { useTexts } from "../i18n/index.ts";
import styles from "./panes.module.css";
import { SearchView } from "./SearchView.tsx";
import { texts } from "./texts.ts";

/** Search everywhere. What is sought is in the address. */
export default function SearchPage({ query }: { query: string }) {
  const t = useTexts(texts);
  const [written, setWritten] = useState(query);
  const told = useRef(query);
  if (query !== told.current) {
    told.current = query; // somebody has gone to another search
    if (query !== written.trim()) setWritten(query);
  }
  useEffect(() => {
    const timer = setTimeout(() => {
      const sought = written.trim();
      if (sought === told.current || currentRoute().view !== "search") return;
      told.current = sought;
      go({ view: "search", query: sought }, { replace: true });
    }, 300);
    return () => clearTimeout(timer);
  }, [written]);
  return (
    <>
      <PageHeader title={t("search")} />
      <div className={styles.page}>
        <SearchView written={written} onWrite={setWritten} />
      </div>
    </>
  );
}
