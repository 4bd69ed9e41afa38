import Type from "typebox";
import { describe, expect, it } from "vitest";
import { BerthError, Client, problemError, route, routeUrl } from "../src/index.ts";

const getThing = route({
  method: "GET",
  path: "/things/:id/parts/:partName",
  summary: "A part",
  tag: "things",
  access: "user",
  params: Type.Object({ id: Type.String(), partName: Type.String() }),
  query: Type.Object({ limit: Type.Optional(Type.Integer()), q: Type.Optional(Type.String()) }),
  status: 200,
  result: Type.Object({ id: Type.String() }),
});
const makeThing = route({
  method: "POST",
  path: "/things",
  summary: "Make",
  tag: "things",
  access: "user",
  body: Type.Object({ name: Type.String() }),
  status: 201,
  result: Type.Object({ id: Type.String() }),
});
const removeThing = route({
  method: "DELETE",
  path: "/things/:id",
  summary: "Remove",
  tag: "things",
  access: "user",
  params: Type.Object({ id: Type.String() }),
  status: 204,
});
const input = { params: { id: "a", partName: "b" }, query: {} };

/** A client whose server answers every request so, and the requests that it got. */
function clientAnswering(answer: () => Response | Promise<Response>, token?: string) {
  const requests: Request[] = [];
  const answering: typeof fetch = async (resource, init) => {
    const request = new Request(resource instanceof Request ? resource : String(resource), init);
    requests.push(request);
    if (init?.signal?.aborted) throw init.signal.reason;
    return answer();
  };
  const client = new Client({ baseUrl: "http://berth.test", fetch: answering, ...(token ? { token } : {}) });
  return { client, requests };
}

function problem(fields: Record<string, unknown>): Response {
  const body = { type: "about:blank", title: "T", status: 409, code: "conflict", detail: "D", ...fields };
  return Response.json(body, { status: 409, headers: { "content-type": "application/problem+json" } });
}

async function errorOf(call: Promise<unknown>): Promise<BerthError> {
  const error = await call.catch((reason: unknown) => reason);
  if (!(error instanceof BerthError)) throw new Error(`not an expected error: ${String(error)}`);
  return error;
}

describe("a route's URL", () => {
  it("has its parameters and query filled in, encoded", () => {
    const url = routeUrl(getThing, { params: { id: "a/b ?#", partName: "ü" }, query: { limit: 5, q: "x&y=z" } });
    expect(url).toBe("/api/v1/things/a%2Fb%20%3F%23/parts/%C3%BC?limit=5&q=x%26y%3Dz");
  });

  it("has no question mark without a query", () => {
    expect(routeUrl(getThing, input)).toBe("/api/v1/things/a/parts/b");
    expect(routeUrl(makeThing, { body: { name: "x" } })).toBe("/api/v1/things");
  });
});

describe("a call", () => {
  it("sends what the route and the caller say, and answers the result", async () => {
    const { client, requests } = clientAnswering(() => Response.json({ id: "t1" }, { status: 201 }), "brt_x");
    const made = await client.call(makeThing, { body: { name: "n" } }, { idempotencyKey: "k1" });
    expect(made).toEqual({ id: "t1" });
    const [request] = requests;
    expect([request?.method, request?.url]).toEqual(["POST", "http://berth.test/api/v1/things"]);
    expect(Object.fromEntries(request?.headers ?? [])).toMatchObject({
      authorization: "Bearer brt_x",
      "content-type": "application/json",
      "idempotency-key": "k1",
      accept: "application/json",
    });
    expect(await request?.json()).toEqual({ name: "n" });
  });

  it("without token or body sends no header for them", async () => {
    const { client, requests } = clientAnswering(() => Response.json({ id: "t1" }));
    await client.call(getThing, input);
    const headers = Object.keys(Object.fromEntries(requests[0]?.headers ?? []));
    expect(headers).toEqual(["accept"]);
    expect(requests[0]?.body).toBeNull();
  });

  it("without a result answers nothing", async () => {
    const { client } = clientAnswering(() => new Response(null, { status: 204 }));
    await expect(client.call(removeThing, { params: { id: "a" } })).resolves.toBeUndefined();
  });

  it("rejects with the code, hint and fields of a problem", async () => {
    const { client } = clientAnswering(() => problem({ hint: "H", fields: { name: "taken" }, requestId: "r1" }));
    const error = await errorOf(client.call(getThing, input));
    expect(error).toMatchObject({ code: "conflict", message: "D", hint: "H", fields: { name: "taken" }, status: 409 });
  });

  it("takes a code that it does not know for a failure of the server", async () => {
    for (const code of ["from_the_future", "toString", "__proto__"]) {
      const { client } = clientAnswering(() => problem({ code }));
      expect(await errorOf(client.call(getThing, input))).toMatchObject({ code: "internal", message: "D" });
    }
  });

  it.each(["", "<html>Bad gateway</html>", "{}", "null", '{"code":"conflict"}'])(
    "says that there was no reason in %j",
    async (text) => {
      const { client } = clientAnswering(() => new Response(text, { status: 502 }));
      const error = await errorOf(client.call(getThing, input));
      expect(error.code).toBe("internal");
      expect(error.message).toContain("502");
      expect(problemError(502, text)).toMatchObject({ code: error.code, message: error.message });
    },
  );

  it.each(["", "<html>", "null", "[]", "{}", '{"id":1}'])("refuses %j as a result", async (text) => {
    const { client } = clientAnswering(() => new Response(text, { status: 200 }));
    const error = await errorOf(client.call(getThing, input));
    expect(error.code).toBe("internal");
    expect(error.message).toContain("contract");
  });

  it("rejects with the reason of its abort", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const { client } = clientAnswering(
      () =>
        new Promise((_, reject) => {
          controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
        }),
    );
    const call = client.call(getThing, input, { signal: controller.signal });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect(client.call(getThing, input, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("passes on that the server cannot be reached", async () => {
    const { client } = clientAnswering(() => Promise.reject(new TypeError("fetch failed")));
    await expect(client.call(getThing, input)).rejects.toThrow("fetch failed");
  });
});
