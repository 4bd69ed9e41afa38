import { apiPrefix, errorRegistry, problemSchema, type Route } from "@berth/protocol";
import type { TSchema } from "typebox";
import type { Api } from "./api.ts";

type Json = Record<string, unknown>;

/** `GET /api/v1/openapi.json`, public: made of the schemas that validate and serialise the mounted routes. */
export function serveOpenApi(api: Api, version: string): void {
  let text: string | undefined;
  api.fastify.get("/openapi.json", { config: { access: "public" } }, async (_, reply) => {
    text ??= JSON.stringify(openApiDocument(api.mounted, version));
    return reply.type("application/json").send(text);
  });
}

/** The OpenAPI 3.1 document of these routes. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = `${apiPrefix}${route.path.replace(/:([A-Za-z]+)/g, "{$1}")}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Berth",
      version,
      description: "A fleet of Claude Code sandboxes on your own Proxmox VE.",
      license: { name: "GPL-3.0-or-later", identifier: "GPL-3.0-or-later" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: problemSchema },
      responses: { Problem: problemResponse() },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "An API token, or the token of a sign-in." },
        session: { type: "apiKey", in: "cookie", name: "berth_session", description: "The console's cookie." },
        shareToken: { type: "http", scheme: "bearer", description: "The token of a share's link." },
        share: { type: "apiKey", in: "cookie", name: "berth_share", description: "The cookie of a guest's page." },
      },
    },
  };
}

const securityOf = {
  public: [],
  user: [{ token: [] }, { session: [] }],
  guest: [{ shareToken: [] }, { share: [] }],
} as const satisfies Record<Route["access"], unknown>;

function operation(route: Route): Json {
  const problem = { $ref: "#/components/responses/Problem" };
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    security: securityOf[route.access],
    parameters: [...fields("path", route.params), ...fields("query", route.query), ...headers(route)],
    ...requestBody(route),
    responses: {
      ...success(route),
      "400": problem,
      ...(route.access === "public" ? {} : { "401": problem }),
      default: problem,
    },
  };
}

function requestBody(route: Route): Json {
  if (route.upload) {
    const description = `The file's bytes, at most ${route.upload.maxBytes}.`;
    return { requestBody: { required: true, description, content: { "application/octet-stream": {} } } };
  }
  return route.body ? { requestBody: { required: true, content: json(route.body) } } : {};
}

function success(route: Route): Json {
  if (route.stream === "websocket") return { "101": { description: "The connection is a WebSocket from here on." } };
  if (route.stream === "sse") {
    const content = { "text/event-stream": { schema: { type: "string" } } };
    return { [route.status]: { description: "Server-sent events.", content } };
  }
  if (route.stream === "download") {
    const content = { [route.mediaType ?? "application/octet-stream"]: { schema: { type: "string" } } };
    return { [route.status]: { description: "A file, as it is read.", content } };
  }
  const done = { [route.status]: { description: "Done.", ...(route.result ? { content: json(route.result) } : {}) } };
  return route.mayBeEmpty ? { ...done, "204": { description: "Done, with nothing to tell." } } : done;
}

function headers(route: Route): Json[] {
  const all: Json[] = [];
  if (route.idempotent) {
    const description = "Makes a repetition of this call act once; kept for 24 hours.";
    all.push({ name: "Idempotency-Key", in: "header", description, schema: { type: "string", maxLength: 255 } });
  }
  if (route.stream === "sse") {
    const description = "The id of the last event that was received: the stream goes on after it.";
    all.push({ name: "Last-Event-ID", in: "header", description, schema: { type: "string" } });
  }
  return all;
}

function fields(place: "path" | "query", schema: TSchema | undefined): Json[] {
  if (!schema || !("properties" in schema)) return [];
  const required = "required" in schema && Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

function json(schema: TSchema): Json {
  return { "application/json": { schema } };
}

/** `POST /sandboxes/:id/start` → `post_sandboxes_id_start`. */
function operationId(route: Route): string {
  return `${route.method.toLowerCase()}${route.path.replaceAll("/", "_").replaceAll(":", "")}`;
}

function problemResponse(): Json {
  const codes = Object.entries(errorRegistry).map(([code, { status }]) => `${code} (${status})`);
  return {
    description: `What went wrong, by its code: ${codes.join(", ")}.`,
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}
