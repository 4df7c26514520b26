import { EmptyState } from "../ui/index.ts";

/** The queue of cases and what is with it. `rest` is what follows in the address: `#/moderation/<rest>`. */
export default function ModerationPage({ rest }: { rest: string }) {
  return <EmptyState icon="shield" title={rest} />;
}
