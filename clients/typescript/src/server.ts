// hubbub/server: for backends, on Node, Deno, Bun and the edge.

export { HubbubError } from "./core/errors.js";
export type * from "./generated/chat.js";
export type {
  History,
  Member as PresentMember,
  Position,
  Presence,
  Publication,
} from "./generated/protocol.js";
export type {
  ChannelInfo,
  ChannelPage,
  DeadLetterInfo,
  DeadLetterPage,
  Dropped,
  ErrorBody,
  NodeInfo,
  NodeList,
  Outcome,
  Placement,
  Published,
  SessionInfo,
  SessionPage,
  Sessions,
} from "./generated/rest.js";
export type { CallOptions } from "./server/http.js";
export type { ChatApi, OperationName, Params, Result } from "./server/operations.js";
export {
  ActingUser,
  type HistoryOptions,
  HubbubServer,
  type HubbubServerOptions,
  type PageOptions,
  type PublishItem,
  type PublishOptions,
  type Target,
} from "./server/server.js";
export type { ChannelOperation, ChannelTokenOptions, TokenOptions } from "./server/tokens.js";
export {
  signWebhook,
  verifyWebhook,
  type Webhook,
  WebhookError,
  type WebhookHeaders,
  type WebhookOptions,
} from "./server/webhooks.js";
