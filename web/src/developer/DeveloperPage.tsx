import { PageHeader } from "../app/PageHeader.tsx";
import { BASE, page } from "../app/page.ts";
import { useTexts } from "../i18n/index.ts";
import { EmptyState } from "../ui/index.ts";
import { texts } from "./texts.ts";

/** The way to the playground and inspector, where the server says that it is one for development. */
export default function DeveloperPage(_props: { rest: string }) {
  const t = useTexts(texts);
  return (
    <>
      <PageHeader title={t("title")} />
      {page.dev ? (
        <EmptyState
          icon="code"
          title={t("title")}
          action={<a href={new URL("playground", BASE).href}>{t("playground")}</a>}
        >
          {t("hint")}
        </EmptyState>
      ) : (
        <EmptyState icon="code" title={t("off")}>
          {t("offHint")}
        </EmptyState>
      )}
    </>
  );
}
