// The operations of the chat as functions: `chat.messages.send(params)` is `chat("messages.send", params)`, which is
// `POST /v1/conversations/{conversation}/messages`.

import type { Operations } from "../generated/chat.js";
import { UNKEYED } from "../generated/rest.js";
import { ROUTES } from "../generated/routes.js";
import type { CallOptions, Http } from "./http.js";

/** The name of an operation. */
export type OperationName = keyof Operations;
/** What an operation takes. */
export type Params<N extends OperationName> = Operations[N]["params"];
/** What an operation answers. */
export type Result<N extends OperationName> = Operations[N]["result"];

/** Params may be left out where none is required. */
type Arguments<N extends OperationName> =
  Record<never, never> extends Params<N>
    ? [params?: Params<N>, options?: CallOptions]
    : [params: Params<N>, options?: CallOptions];

type Head<Name extends string> = Name extends `${infer First}.${string}` ? First : Name;
type Tail<Name extends string, First extends string> = Name extends `${First}.${infer Rest}` ? Rest : never;

/** The names below `Before` as a tree of functions, each level at a dot. */
type Tree<Before extends string, Name extends string> = {
  readonly [First in Head<Name>]: (`${Before}${First}` extends infer N extends OperationName
    ? (...rest: Arguments<N>) => Promise<Result<N>>
    : unknown) &
    ([Tail<Name, First>] extends [never] ? unknown : Tree<`${Before}${First}.`, Tail<Name, First>>);
};

/** All operations of the chat, by name or as a tree of functions. */
export type ChatApi = (<N extends OperationName>(operation: N, ...rest: Arguments<N>) => Promise<Result<N>>) &
  Tree<"", OperationName>;

const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/** The operations as `user` may do them; without one, as the server may. */
export function chatApi(http: Http, user: string | undefined): ChatApi {
  const perform = async (
    name: OperationName,
    params: object = {},
    options: CallOptions = {},
  ): Promise<unknown> => {
    const route = ROUTES[name];
    if (route === undefined) throw new TypeError(`there is no operation ${name}`);
    const [method, template] = route;
    const rest: Record<string, unknown> = { ...params };
    const path = template.replaceAll(/\{(\w+)\}/g, (_, field: string) => {
      const value = rest[field];
      delete rest[field];
      if (value === undefined || value === "") throw new TypeError(`${name}: ${field} is missing`);
      return encodeURIComponent(String(value));
    });
    return http.call({
      method,
      path: `/v1${path}`,
      ...(WITH_BODY.has(method) ? { body: rest } : { query: rest }),
      user,
      key: UNKEYED.has(name) ? undefined : (options.key ?? crypto.randomUUID()),
      signal: options.signal,
    });
  };
  const tree = perform as unknown as Record<string, unknown>;
  for (const name of Object.keys(ROUTES) as OperationName[]) {
    const words = name.split(".");
    const last = words.pop() as string;
    let level = tree;
    for (const word of words) {
      level[word] ??= {};
      level = level[word] as Record<string, unknown>;
    }
    level[last] = Object.assign(
      (params?: object, options?: CallOptions) => perform(name, params, options),
      level[last] ?? {},
    );
  }
  return perform as unknown as ChatApi;
}
