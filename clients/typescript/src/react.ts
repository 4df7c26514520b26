// hubbub/react: hooks for React 18 and later.

export { type ChannelHandlers, type ChannelState, useChannel, useMembers } from "./react/channel.js";
export { useConnection } from "./react/connection.js";
export { HubbubProvider, type HubbubProviderProps, useChat, useHubbub } from "./react/provider.js";
export { useView } from "./react/view.js";
