import { lazy, type ReactNode, Suspense } from "react";
import { Composer } from "../composer/Composer.tsx";
import { ConversationHeader } from "../conversations/ConversationHeader.tsx";
import { Sidebar } from "../conversations/Sidebar.tsx";
import { useTexts } from "../i18n/index.ts";
import { Messages } from "../messages/Messages.tsx";
import { EmptyState, Kbd, ResizablePane, Spinner } from "../ui/index.ts";
import { Boundary } from "./Boundary.tsx";
import { ConnectionBar } from "./ConnectionBar.tsx";
import styles from "./Layout.module.css";
import { closePane, useRoute } from "./router.ts";
import { href, type Route } from "./routes.ts";
import { texts } from "./texts.ts";

// What is not seen at first is loaded when it is asked for.
const PaneView = lazy(() => import("../panes/PaneView.tsx"));
const Page = lazy(() => import("../panes/Page.tsx"));
const DiscoverPage = lazy(() => import("../conversations/DiscoverPage.tsx"));
const ModerationPage = lazy(() => import("../moderation/ModerationPage.tsx"));
const SettingsPage = lazy(() => import("../settings/SettingsPage.tsx"));
const DeveloperPage = lazy(() => import("../developer/DeveloperPage.tsx"));

/** Conversations, what is open, and what is beside it. On a phone one of the three is seen: the deepest that is open. */
export function Layout() {
  const route = useRoute();
  const t = useTexts(texts);
  const pane = route.view === "conversation" ? route.pane : undefined;
  const level = route.view === "home" ? "list" : pane === undefined ? "main" : "pane";
  return (
    <div className={styles.app} data-level={level}>
      <button type="button" className={styles.skip} onClick={() => document.getElementById("main")?.focus()}>
        {t("skip")}
      </button>
      <ConnectionBar />
      <div className={styles.columns}>
        <div className={styles.side}>
          <ResizablePane name="sidebar" label={t("sidebar")} side="start" usual={300} least={220} most={460}>
            <Boundary>
              <Sidebar />
            </Boundary>
          </ResizablePane>
        </div>
        <main id="main" tabIndex={-1} className={styles.main}>
          <Boundary reset={href(route)}>
            <Suspense fallback={<Loading />}>
              <Main route={route} />
            </Suspense>
          </Boundary>
        </main>
        {route.view === "conversation" && pane !== undefined && (
          <aside className={styles.pane} aria-label={t("pane")}>
            <ResizablePane name="pane" label={t("pane")} side="end" usual={380} least={300} most={640}>
              <Boundary reset={href(route)}>
                <Suspense fallback={<Loading />}>
                  <PaneView conversation={route.conversation} pane={pane} onClose={closePane} />
                </Suspense>
              </Boundary>
            </ResizablePane>
          </aside>
        )}
      </div>
    </div>
  );
}

function Main({ route }: { route: Route }): ReactNode {
  const t = useTexts(texts);
  switch (route.view) {
    case "conversation": {
      const { conversation, message } = route;
      return (
        <>
          <ConversationHeader conversation={conversation} />
          <Messages
            key={conversation}
            conversation={conversation}
            {...(message === undefined ? {} : { jump: message })}
          />
          <Composer key={`composer ${conversation}`} conversation={conversation} />
        </>
      );
    }
    case "discover":
      return <DiscoverPage />;
    case "moderation":
      return <ModerationPage rest={route.rest} />;
    case "settings":
      return <SettingsPage section={route.section} />;
    case "developer":
      return <DeveloperPage rest={route.rest} />;
    case "home":
      return (
        <EmptyState icon="thread" title={t("home")}>
          <Kbd keys="Mod+K" />
        </EmptyState>
      );
    default:
      return <Page route={route} />;
  }
}

function Loading() {
  const t = useTexts(texts);
  return (
    <div className={styles.loading}>
      <Spinner label={t("loading")} />
    </div>
  );
}
