import { HubbubProvider } from "hubbub/react";
import { Toasts, Tooltips } from "../ui/index.ts";
import { Boundary } from "./Boundary.tsx";
import { Layout } from "./Layout.tsx";
import { LiveRegions } from "./LiveRegions.tsx";
import { SignIn } from "./SignIn.tsx";
import { useSession } from "./session.ts";

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
          <SignIn error={session.error} busy={session.busy ?? false} />
        )}
      </Boundary>
      <Toasts />
      <Tooltips />
      <LiveRegions />
    </>
  );
}
