import { HubbubProvider } from "hubbub/react";
import { Suspense } from "react";
import { Toasts, Tooltips } from "../ui/index.ts";
import { Boundary } from "./Boundary.tsx";
import { Layout } from "./Layout.tsx";
import { LiveRegions } from "./LiveRegions.tsx";
import { later } from "./later.ts";
import { page } from "./page.ts";
import { useRoute } from "./router.ts";
import { useSession } from "./session.ts";

const SignIn = later(() => import("./SignIn.tsx"));
const Alone = later(() => import("../developer/Alone.tsx"));

export function App() {
  const session = useSession();
  const developer = useRoute().view === "developer" && page.playground === true;
  return (
    <>
      <Boundary>
        {session.status === "in" ? (
          <HubbubProvider client={session.hubbub} chat={session.chat}>
            <Layout />
          </HubbubProvider>
        ) : page.chat === false || (developer && session.busy !== true) ? (
          <Suspense fallback={null}>
            <Alone />
          </Suspense>
        ) : (
          <Suspense fallback={null}>
            <SignIn error={session.error} busy={session.busy ?? false} />
          </Suspense>
        )}
      </Boundary>
      <Toasts />
      <Tooltips />
      <LiveRegions />
    </>
  );
}
