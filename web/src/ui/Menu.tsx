import { type ReactNode, useId, useRef, useState } from "react";
import { Kbd } from "./Badge.tsx";
import { IconButton, type IconButtonProps } from "./Button.tsx";
import { cx } from "./cx.ts";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";
import styles from "./Menu.module.css";
import { type Anchor, Popover } from "./Popover.tsx";
import type { Placement } from "./place.ts";

export type MenuItem =
  | "separator"
  | { readonly heading: string }
  | {
      readonly label: string;
      readonly icon?: IconName;
      /** Shown beside it: `Mod+K`. */
      readonly keys?: string;
      readonly hint?: string;
      readonly danger?: boolean;
      readonly disabled?: boolean;
      /** Given: an item that can be on or off. */
      readonly checked?: boolean;
      onSelect(): void;
    };

export interface MenuProps {
  anchor: Anchor | null;
  onClose(): void;
  label: string;
  items: readonly MenuItem[];
  placement?: Placement;
  header?: ReactNode;
}

/** A menu beside an element or at a point. Arrows, Home, End and first letters move, Escape closes. */
export function Menu({ anchor, onClose, label, items, placement = "below-start", header }: MenuProps) {
  const typed = useRef({ text: "", at: 0 });

  function move(event: KeyboardEvent) {
    const list = event.currentTarget as HTMLElement;
    const all = [...list.querySelectorAll<HTMLElement>("[role^=menuitem]:not([aria-disabled=true])")];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const step = {
      ArrowDown: at + 1,
      ArrowUp: at <= 0 ? all.length - 1 : at - 1,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (event.key === "Tab") {
      event.preventDefault();
      onClose();
    } else if (step !== undefined) {
      event.preventDefault();
      all[step % all.length]?.focus();
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
      const fresh = event.timeStamp - typed.current.at > 700;
      typed.current = {
        text: (fresh ? "" : typed.current.text) + event.key.toLowerCase(),
        at: event.timeStamp,
      };
      const order = [...all.slice(at + (fresh ? 1 : 0)), ...all.slice(0, at + 1)];
      order.find((each) => each.textContent?.trim().toLowerCase().startsWith(typed.current.text))?.focus();
    }
  }

  return (
    <Popover
      anchor={anchor}
      onClose={onClose}
      label={label}
      role="menu"
      placement={placement}
      onKeyDown={move}
    >
      {header}
      {items.map((item, at) => {
        // biome-ignore lint/suspicious/noArrayIndexKey: it has no other name
        if (item === "separator") return <hr key={at} className={styles.separator} />;
        if ("heading" in item) {
          return (
            <p key={item.heading} className={styles.heading} role="presentation">
              {item.heading}
            </p>
          );
        }
        const choose = () => {
          if (item.disabled === true) return;
          onClose();
          item.onSelect();
        };
        const checkable = item.checked !== undefined;
        return (
          // biome-ignore lint/a11y/useAriaPropsSupportedByRole: by the role of one that can be checked, which it has then
          <button
            key={item.label}
            type="button"
            role={checkable ? "menuitemcheckbox" : "menuitem"}
            aria-checked={checkable ? item.checked : undefined}
            aria-disabled={item.disabled || undefined}
            tabIndex={item.disabled === true ? -1 : 0}
            className={cx(styles.item, item.danger === true && styles.danger)}
            onClick={choose}
          >
            <span className={styles.icon}>
              {checkable
                ? item.checked === true && <Icon name="check" size={16} />
                : item.icon && <Icon name={item.icon} size={16} />}
            </span>
            <span className={styles.label}>{item.label}</span>
            {item.hint !== undefined && <span className={styles.hint}>{item.hint}</span>}
            {item.keys !== undefined && <Kbd keys={item.keys} />}
          </button>
        );
      })}
    </Popover>
  );
}

/** A button with a sign that opens a menu. */
export function MenuButton(
  props: Omit<IconButtonProps, "icon"> & {
    icon?: IconName;
    items: readonly MenuItem[];
    placement?: Placement;
  },
) {
  const { items, placement = "below-end", icon = "more", ...button } = props;
  const [anchor, setAnchor] = useState<Element | null>(null);
  const id = useId();
  return (
    <>
      <IconButton
        {...button}
        id={id}
        icon={icon}
        aria-haspopup="menu"
        aria-expanded={anchor !== null}
        onClick={(event) => setAnchor(anchor === null ? event.currentTarget : null)}
      />
      <Menu
        anchor={anchor}
        onClose={() => setAnchor(null)}
        label={button.label}
        items={items}
        placement={placement}
      />
    </>
  );
}
