import { EmptyState } from "../ui/index.ts";

export default function DiscoverPage() {
  return <EmptyState icon="hash" title="" />;
}
