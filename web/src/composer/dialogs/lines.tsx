import { Button, IconButton, TextField } from "../../ui/index.ts";
import styles from "./dialogs.module.css";

/** Some lines of text, to which one can be added and from which one can be taken. */
export function Lines(props: {
  lines: readonly string[];
  onChange(lines: readonly string[]): void;
  least: number;
  most: number;
  label(number: number): string;
  remove(number: number): string;
  add: string;
}) {
  const { lines, onChange, least, most } = props;
  const put = (at: number, value: string) =>
    onChange(lines.map((line, index) => (index === at ? value : line)));
  return (
    <div className={styles.lines}>
      {lines.map((line, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place
        <div key={at} className={styles.line}>
          <TextField
            label={props.label(at + 1)}
            hideLabel
            placeholder={props.label(at + 1)}
            value={line}
            maxLength={200}
            onChange={(value) => put(at, value)}
          />
          {lines.length > least && (
            <IconButton
              icon="close"
              label={props.remove(at + 1)}
              onClick={() => onChange(lines.filter((_, index) => index !== at))}
            />
          )}
        </div>
      ))}
      {lines.length < most && (
        <Button icon="plus" tone="plain" size="s" onClick={() => onChange([...lines, ""])}>
          {props.add}
        </Button>
      )}
    </div>
  );
}
