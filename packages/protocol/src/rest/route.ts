import Type, { type Static, type TSchema } from "typebox";

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * One call of the outside contract. The controller mounts it, the clients call it, OpenAPI is made from it: there is
 * no second description of it anywhere.
 */
export interface Route {
  readonly method: HttpMethod;
  /** Below `/api/v1`, parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  /** Who may call: anybody, somebody who has signed in, or somebody with the link of a share. */
  readonly access: "public" | "user" | "guest";
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** The body is the bytes of a file instead, of any content type, and is read as it comes. */
  readonly upload?: { readonly maxBytes: number };
  /** Honours `Idempotency-Key`. Of an upload, the query counts as part of the body. */
  readonly idempotent?: true;
  /** The success status. */
  readonly status: 200 | 201 | 202 | 204;
  /** Body of the success; absent for 204 and for streams. */
  readonly result?: TSchema;
  /** There may be nothing to answer: then the status is 204 and there is no body. */
  readonly mayBeEmpty?: true;
  /** The answer is not one JSON value. */
  readonly stream?: "sse" | "websocket" | "download";
  /** Of a download. */
  readonly mediaType?: string;
}

/** Declares a route and keeps its exact type. */
export function route<const R extends Route>(definition: R): R {
  return definition;
}

type Part<R extends Route, K extends "params" | "query" | "body"> =
  R extends Record<K, infer S extends TSchema> ? Record<K, Static<S>> : object;

/** The parts of a request to a route, once they were read. */
export type RouteInput<R extends Route> = Part<R, "params"> & Part<R, "query"> & Part<R, "body">;
/** What a caller of a route gives: a query of which nothing is required may be left out. */
export type CallInput<R extends Route> = Part<R, "params"> & CalledQuery<R> & Part<R, "body">;
type CalledQuery<R extends Route> =
  R extends Record<"query", infer S extends TSchema>
    ? Record<never, never> extends Static<S>
      ? { query?: Static<S> }
      : { query: Static<S> }
    : object;
/** What a caller of a route gets. */
export type RouteResult<R extends Route> = R extends { result: infer S extends TSchema }
  ? Static<S> | (R extends { mayBeEmpty: true } ? undefined : never)
  : undefined;

/** The prefix of every route. */
export const apiPrefix = "/api/v1";

/** Paging of a list, by cursor. */
export const pageQuerySchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 256 })),
  },
  { additionalProperties: false },
);

/** A page of a list; `nextCursor` is null on the last. */
export function pageOf<S extends TSchema>(item: S) {
  return Type.Object({ items: Type.Array(item), nextCursor: Type.Union([Type.String(), Type.Null()]) });
}

/** An instant as ISO 8601 in UTC. */
export const instantSchema = Type.String({ format: "date-time" });
export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
/** An object that admits no other fields: for what comes from outside. */
export const strictObject = <P extends Parameters<typeof Type.Object>[0]>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
