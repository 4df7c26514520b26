import {
  type InputHTMLAttributes,
  type ReactNode,
  type Ref,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from "react";
import { useTexts } from "../i18n/index.ts";
import { IconButton } from "./Button.tsx";
import { cx } from "./cx.ts";
import styles from "./fields.module.css";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";
import { texts } from "./texts.ts";

interface FieldProps {
  label: string;
  /** The label is read out, but not shown. */
  hideLabel?: boolean;
  /** A sentence below. */
  hint?: ReactNode;
  /** What is wrong with it; read out when it appears. */
  error?: string | undefined;
}

type Native<E> = Omit<InputHTMLAttributes<E>, "className" | "onChange" | "value" | "size">;

export interface TextFieldProps extends FieldProps, Native<HTMLInputElement> {
  ref?: Ref<HTMLInputElement>;
  value: string;
  onChange(value: string): void;
  icon?: IconName;
  /** A button that empties it. */
  clearable?: boolean;
  /** Without a border, where its place says what it is. */
  quiet?: boolean;
}

export function TextField({
  label,
  hideLabel,
  hint,
  error,
  value,
  onChange,
  icon,
  clearable = false,
  quiet = false,
  ...rest
}: TextFieldProps) {
  const id = useId();
  const t = useTexts(texts);
  return (
    <Field {...{ id, label, hideLabel, hint, error }}>
      <span className={cx(styles.box, quiet && styles.quiet)}>
        {icon !== undefined && <Icon name={icon} size={16} />}
        <input
          id={id}
          autoComplete="off"
          {...rest}
          {...described(id, hint, error)}
          className={styles.input}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
        {clearable && value !== "" && (
          <IconButton icon="close" size="s" label={t("clear")} onClick={() => onChange("")} />
        )}
      </span>
    </Field>
  );
}

export interface TextAreaProps
  extends FieldProps,
    Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "className" | "onChange" | "value"> {
  ref?: Ref<HTMLTextAreaElement>;
  value: string;
  onChange(value: string): void;
}

export function TextArea({ label, hideLabel, hint, error, value, onChange, ...rest }: TextAreaProps) {
  const id = useId();
  return (
    <Field {...{ id, label, hideLabel, hint, error }}>
      <textarea
        id={id}
        rows={3}
        {...rest}
        {...described(id, hint, error)}
        className={cx(styles.box, styles.area)}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

export interface SelectProps<V extends string>
  extends FieldProps,
    Omit<SelectHTMLAttributes<HTMLSelectElement>, "className" | "onChange" | "value" | "size"> {
  value: V;
  onChange(value: V): void;
  options: readonly { readonly value: V; readonly label: string; readonly disabled?: boolean }[];
}

export function Select<V extends string>({
  label,
  hideLabel,
  hint,
  error,
  value,
  onChange,
  options,
  ...rest
}: SelectProps<V>) {
  const id = useId();
  return (
    <Field {...{ id, label, hideLabel, hint, error }}>
      <span className={styles.box}>
        <select
          id={id}
          {...rest}
          {...described(id, hint, error)}
          className={cx(styles.input, styles.select)}
          value={value}
          onChange={(event) => onChange(event.target.value as V)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.disabled}>
              {option.label}
            </option>
          ))}
        </select>
        <Icon name="chevronDown" size={14} />
      </span>
    </Field>
  );
}

export interface SwitchProps {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange(checked: boolean): void;
}

/** Something that is on or off, at once. */
export function Switch({ label, hint, checked, disabled = false, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div className={styles.switchRow}>
      <span className={styles.switchText}>
        <label htmlFor={id} className={styles.switchLabel}>
          {label}
        </label>
        {hint !== undefined && (
          <span id={`${id}-hint`} className={styles.hint}>
            {hint}
          </span>
        )}
      </span>
      <input
        id={id}
        type="checkbox"
        role="switch"
        aria-checked={checked}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        className={styles.switch}
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
      />
    </div>
  );
}

/** One of a few, all of which are seen: a row of buttons. */
export function Choice<V extends string>(props: {
  label: string;
  hideLabel?: boolean;
  value: V;
  onChange(value: V): void;
  options: readonly { readonly value: V; readonly label: string; readonly icon?: IconName }[];
}) {
  const name = useId();
  return (
    <fieldset className={styles.field}>
      <legend className={props.hideLabel === true ? "visually-hidden" : styles.label}>{props.label}</legend>
      <span className={styles.choice}>
        {props.options.map((option) => (
          <label key={option.value} className={styles.option}>
            <input
              type="radio"
              name={name}
              className="visually-hidden"
              checked={option.value === props.value}
              onChange={() => props.onChange(option.value)}
            />
            {option.icon !== undefined && <Icon name={option.icon} size={16} />}
            {option.label}
          </label>
        ))}
      </span>
    </fieldset>
  );
}

function Field(props: {
  id: string;
  label: string;
  hideLabel: boolean | undefined;
  hint: ReactNode;
  error: string | undefined;
  children: ReactNode;
}) {
  const { id, label, hideLabel, hint, error } = props;
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={hideLabel === true ? "visually-hidden" : styles.label}>
        {label}
      </label>
      {props.children}
      {error !== undefined ? (
        <span id={`${id}-error`} role="alert" className={styles.error}>
          {error}
        </span>
      ) : (
        hint !== undefined && (
          <span id={`${id}-hint`} className={styles.hint}>
            {hint}
          </span>
        )
      )}
    </div>
  );
}

function described(id: string, hint: ReactNode, error: string | undefined) {
  const by = error !== undefined ? `${id}-error` : hint !== undefined ? `${id}-hint` : undefined;
  return { "aria-describedby": by, "aria-invalid": error !== undefined || undefined };
}
