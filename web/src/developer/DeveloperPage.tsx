import { EmptyState } from "../ui/index.ts";

/** The playground and the inspector. `rest` is what follows in the address: `#/developer/<rest>`. */
export default function DeveloperPage({ rest }: { rest: string }) {
  return <EmptyState icon="code" title={rest} />;
}
