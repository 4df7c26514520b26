import type { Pane } from "../app/routes.ts";
import { EmptyState } from "../ui/index.ts";

export interface PaneViewProps {
  conversation: string;
  pane: Pane;
  onClose(): void;
}

/** What is beside a conversation: a thread, its details, members, pins, files, settings, a search in it, a profile. */
export default function PaneView({ pane }: PaneViewProps) {
  return <EmptyState icon="info" title={pane.kind} />;
}
