export interface ComposerProps {
  conversation: string;
  /** The seq of a root: what is written goes to its thread. */
  thread?: number;
}

/** Where one writes. */
export function Composer(_props: ComposerProps) {
  return null;
}
