import { EmptyState } from "../ui/index.ts";

export default function SettingsPage({ section }: { section: string }) {
  return <EmptyState icon="gear" title={section} />;
}
