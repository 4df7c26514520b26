/** The kit of which the app is made. Import from here: `import { Button, Dialog } from "../ui/index.ts"`. */

export { Avatar, type AvatarProps } from "./Avatar.tsx";
export { Badge, CountBadge, Kbd } from "./Badge.tsx";
export { Button, type ButtonProps, IconButton, type IconButtonProps } from "./Button.tsx";
export { cx } from "./cx.ts";
export { ConfirmDialog, Dialog, type DialogProps } from "./Dialog.tsx";
export { EmptyState, Skeleton, Spinner } from "./Feedback.tsx";
export { Choice, Select, Switch, TextArea, TextField } from "./fields.tsx";
export { Icon } from "./Icon.tsx";
export { type IconName, icons } from "./icons.ts";
export { List, type ListProps, type RowProps } from "./List.tsx";
export { Menu, MenuButton, type MenuItem } from "./Menu.tsx";
export { type Anchor, Popover } from "./Popover.tsx";
export { ResizablePane } from "./SplitView.tsx";
export { type Tab, Tabs } from "./Tabs.tsx";
export { Toasts } from "./Toasts.tsx";
export { Tooltips, tip } from "./Tooltip.tsx";
export { dismiss, type ToastOptions, toast, toastError } from "./toasts.ts";
