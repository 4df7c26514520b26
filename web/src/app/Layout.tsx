import { useConversations } from "hubbub/react";
import { memo, type ReactNode, Suspense, useEffect, useRef } from "react";
import { Sidebar } from "../conversations/Sidebar.tsx";
import { useTexts } from "../i18n/index.ts";
import { Button, EmptyState, Kbd, ResizablePane } from "../ui/index.ts";
import { useIdleness } from "./away.ts";
import { Boundary } from "./Boundary.tsx";
import { ConnectionBar } from "./ConnectionBar.tsx";
import styles from "./Layout.module.css";
import { Loading } from "./Loading.tsx";
import { fetchTheRest, later } from "./later.ts";
import { useNotifications } from "./notifications.ts";
import { openPalette, useOverlay } from "./overlays.ts";
import { focusInto } from "./parts.ts";
import { closePane, useRoute } from "./router.ts";
import { href, type Route } from "./routes.ts";
import { texts } from "./texts.ts";
import { useGlobalCommands } from "./useGlobalCommands.ts";

// A conversation is in a chunk of its own, which is fetched at once, beside what connects and shows the list.
const conversation = () => import("./Conversation.tsx");
void conversation().catch(() => undefined); // whoever shows it sees what is wrong

// What is not seen at first is loaded when it is asked for.
const Conversation = later(conversation);
const PaneView = later(() => import("../panes/PaneView.tsx"));
const Page = later(() => import("../panes/Page.tsx"));
const DiscoverPage = later(() => import("../conversations/DiscoverPage.tsx"));
const ModerationPage = later(() => import("../moderation/ModerationPage.tsx"));
const SettingsPage = later(() => import("../settings/SettingsPage.tsx"));
const DeveloperPage = later(() => import("../developer/DeveloperPage.tsx"));
const Palette = later(() => import("./Palette.tsx"));
const Help = later(() => import("./Help.tsx"));

const List = memo(Sidebar);

/** Conversations, what is open, and what is beside it. On a phone one of the three is seen: the deepest that is open. */
export function Layout() {
  const route = useRoute();
  const t = useTexts(texts);
  const overlay = useOverlay();
  const pane = route.view === "conversation" ? route.pane : undefined;
  const level = route.view === "home" ? "list" : pane === undefined ? "main" : "pane";
  const main = useRef<HTMLElement>(null);
  const aside = useFocusedPane(pane === undefined ? undefined : href(route));
  useFocusAtLevel(level, main);

  return (
    <div className={styles.app} data-level={level}>
      <Unseen />
      <button
        type="button"
        className={styles.skip}
        onClick={() => main.current !== null && focusInto(main.current)}
      >
        {t("skip")}
      </button>
      <ConnectionBar />
      <div className={styles.columns}>
        <nav className={styles.side} aria-label={t("sidebar")} data-part="list">
          <ResizablePane name="sidebar" label={t("sidebar")} side="start" usual={300} least={220} most={460}>
            <Boundary>
              <List />
            </Boundary>
          </ResizablePane>
        </nav>
        <main ref={main} tabIndex={-1} className={styles.main} data-part="main">
          <Boundary reset={href(route)}>
            <Suspense fallback={<Loading />}>
              <Main route={route} />
            </Suspense>
          </Boundary>
        </main>
        {route.view === "conversation" && pane !== undefined && (
          <aside ref={aside} tabIndex={-1} className={styles.pane} aria-label={t("pane")} data-part="pane">
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
      <Suspense fallback={null}>
        {overlay?.kind === "palette" && <Palette start={overlay.start} />}
        {overlay?.kind === "help" && <Help />}
      </Suspense>
    </div>
  );
}

/** What is always there and shows nothing: what it follows is no reason to render the layout. */
function Unseen() {
  useGlobalCommands();
  useNotifications();
  useIdleness();
  useEffect(fetchTheRest, []);
  return null;
}

function Main({ route }: { route: Route }): ReactNode {
  switch (route.view) {
    case "conversation":
      return <Conversation id={route.conversation} message={route.message} />;
    case "discover":
      return <DiscoverPage />;
    case "moderation":
      return <ModerationPage rest={route.rest} />;
    case "settings":
      return <SettingsPage section={route.section} />;
    case "developer":
      return <DeveloperPage rest={route.rest} />;
    case "home":
      return <Home />;
    default:
      return <Page route={route} />;
  }
}

function Home() {
  const t = useTexts(texts);
  const some = useConversations().length > 0;
  if (!some) return null; // the list says what to do
  return (
    <EmptyState
      icon="thread"
      title={t("home")}
      action={
        <Button icon="search" onClick={() => openPalette()}>
          {t("openPalette")} <Kbd keys="Mod+K" />
        </Button>
      }
    />
  );
}

/** The focus goes into a pane that opens, and back to where it was when it closes. */
function useFocusedPane(address: string | undefined) {
  const aside = useRef<HTMLElement>(null);
  const before = useRef<Element | null>(null);
  const open = address !== undefined;
  useEffect(() => {
    if (!open) return;
    before.current = document.activeElement;
    aside.current?.focus({ preventScroll: true });
    return () => {
      const back = before.current;
      const lost = document.activeElement === document.body || document.activeElement === null;
      if (lost && back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true });
    };
  }, [open]);
  return aside;
}

/** On a phone what was left is not seen any more: the focus follows to what is. */
function useFocusAtLevel(level: string, main: { readonly current: HTMLElement | null }) {
  const first = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the level changes
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const hidden =
      document.activeElement instanceof HTMLElement && document.activeElement.offsetParent === null;
    if (hidden || document.activeElement === document.body) {
      if (level === "list")
        document.querySelector<HTMLElement>("[data-part=list] [data-row][tabindex='0']")?.focus();
      else if (level === "main") main.current?.focus({ preventScroll: true });
    }
  }, [level]);
}
