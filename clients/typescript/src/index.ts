export { HubbubError } from "./core/errors.js";
export { Hubbub, type ServerPush } from "./core/hubbub.js";
export type * from "./core/types.js";
export { Cell, derived, type View } from "./core/view.js";
