import type { Scope } from "@berth/base";
import { BerthError, route, strictObject } from "@berth/protocol";
import type { InjectOptions } from "fastify";
import Type from "typebox";
import type { Api } from "../src/http/api.ts";
import { mount, mountTransactional } from "../src/http/mount.ts";
import type { Store } from "../src/store/connect.ts";
import { bearer, type TestServer, testServer } from "./http.fixture.ts";

const thing = Type.Object({ id: Type.String(), size: Type.Integer() });
const getThing = route({
  method: "GET",
  path: "/things/:id",
  summary: "A thing",
  tag: "things",
  access: "user",
  params: strictObject({ id: Type.String({ pattern: "^[a-z]{1,8}$" }) }),
  query: strictObject({ size: Type.Optional(Type.Integer({ minimum: 1, default: 7 })) }),
  status: 200,
  result: thing,
});
const makeThing = route({
  method: "POST",
  path: "/things",
  summary: "Make a thing",
  tag: "things",
  access: "user",
  idempotent: true,
  body: strictObject({ id: Type.String(), size: Type.Integer(), tags: Type.Optional(Type.Array(Type.String())) }),
  status: 201,
  result: thing,
});
const bumpThing = route({
  method: "POST",
  path: "/things/:id/bump",
  summary: "Grow a thing",
  tag: "things",
  access: "user",
  idempotent: true,
  params: strictObject({ id: Type.String() }),
  status: 204,
});
const failThing = route({
  method: "GET",
  path: "/failure",
  summary: "Fails",
  tag: "things",
  access: "user",
  status: 200,
});

/** An answer, its body read as JSON where it is an object. */
export interface ThingAnswer {
  status: number;
  json: Record<string, unknown>;
  headers: Record<string, unknown>;
  body: string;
}

/** A server with routes of every sort for things that do nothing. */
export class ThingServer {
  readonly http: TestServer;
  readonly #acts: Acts;

  private constructor(http: TestServer, acts: Acts) {
    this.http = http;
    this.#acts = acts;
  }

  static async start(scope: Scope): Promise<ThingServer> {
    const acts = new Acts();
    return new ThingServer(await testServer(scope, { routes: [(api) => thingRoutes(api, acts)] }), acts);
  }

  /** Another server of the same controller's database, which counts its acts here too. */
  beside(scope: Scope, store: Store): Promise<TestServer> {
    return testServer(scope, { routes: [(api) => thingRoutes(api, this.#acts)], store });
  }

  /** How often a call took effect. */
  get made(): number {
    return this.#acts.made;
  }

  /** What `GET /failure` throws from now on. */
  failWith(fail: () => never): void {
    this.#acts.fail = fail;
  }

  /** The header of a sign-in. */
  signedIn(): Record<string, string> {
    return bearer(this.http.token);
  }

  async call(options: InjectOptions): Promise<ThingAnswer> {
    const headers = { host: "127.0.0.1:7400", ...options.headers };
    const answer = await this.http.server.inject({ ...options, headers });
    const text = answer.body;
    return {
      status: answer.statusCode,
      json: text.startsWith("{") ? answer.json() : {},
      headers: answer.headers,
      body: text,
    };
  }

  /** A signed-in POST below the prefix. */
  post(url: string, payload: unknown, headers: Record<string, string> = {}): Promise<ThingAnswer> {
    return this.call({
      method: "POST",
      url: `/api/v1${url}`,
      headers: { ...this.signedIn(), "content-type": "application/json", ...headers },
      payload: JSON.stringify(payload),
    });
  }
}

class Acts {
  made = 0;
  fail: () => never = () => {
    throw new Error("no failure was set");
  };
}

function thingRoutes(api: Api, acts: Acts): void {
  mount(api, getThing, async ({ params, query }) => {
    const withMore = { id: params.id, size: query.size ?? 0, secret: "not in the schema" };
    return withMore;
  });
  mountTransactional(api, makeThing, async ({ body }, { trx }) => {
    await trx
      .insertInto("setup_tokens")
      .values({ hash: `thing ${acts.made}`, expires_at: new Date() })
      .execute();
    acts.made += 1;
    if (body.id === "refused") throw new BerthError("conflict", "No.");
    return { id: body.id, size: body.size };
  });
  mountTransactional(api, bumpThing, async () => {
    acts.made += 1;
    return undefined;
  });
  mount(api, failThing, async () => acts.fail());
}
