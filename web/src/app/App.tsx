import { HubbubProvider } from "hubbub/react";
import { Suspense } from "react";
import { Toasts, Tooltips } from "../ui/index.ts";
import { Boundary } from "./Boundary.tsx";
import { Layout } from "./Layout.tsx";
import { LiveRegions } from "./LiveRegions.tsx";
import { later } from "./later.ts";
import { useSession } from "./session.ts";

const SignIn = later(() => import("./SignIn.tsx"));

export function App() {
  const session = useSession();
  return (
    <>
      <Boundary>
        {session.status === "in" ? (
          <HubbubProvider client={session.hubbub} chat={session.chat}>
            <Layout />
          </HubbubProvider>
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
