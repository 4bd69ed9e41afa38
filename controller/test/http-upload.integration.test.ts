import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { Scope } from "@berth/base";
import { BerthError, route, strictObject } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import Type from "typebox";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { mountUpload } from "../src/http/upload.ts";
import { bearer, type TestServer, testServer } from "./http.fixture.ts";

const maxBytes = 1024 * 1024;
const upload = route({
  method: "POST",
  path: "/uploads",
  summary: "Take a file",
  tag: "uploads",
  access: "user",
  query: strictObject({ name: Type.String({ minLength: 1 }) }),
  upload: { maxBytes },
  idempotent: true,
  status: 201,
  result: Type.Object({ bytes: Type.Integer() }),
});

let scope: Scope;
let http: TestServer;
let url: string;
/** The last upload as Node has it. */
let request: IncomingMessage | undefined;
/** What the handler does with its file next. */
let handle: (file: AsyncIterable<Uint8Array>) => Promise<number>;

const count = async (file: AsyncIterable<Uint8Array>) => {
  let bytes = 0;
  for await (const chunk of file) bytes += chunk.byteLength;
  return bytes;
};

beforeAll(async () => {
  scope = new Scope();
  http = await testServer(scope, {
    routes: [
      (api) =>
        mountUpload(api, upload, async (input, file) => {
          request = input.request.raw;
          return { bytes: await handle(file) };
        }),
    ],
  });
  url = `${await http.listen()}/api/v1/uploads`;
});
afterAll(() => scope.dispose());

async function post(
  body: Uint8Array | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
  query = "?name=a",
) {
  const init = { method: "POST", headers: { ...bearer(http.token), ...headers }, body, duplex: "half" };
  const response = await fetch(`${url}${query}`, init as RequestInit);
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

/** A connection that has announced a body of so many bytes. */
function open(length: number): Socket {
  const { host, port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  const headers = [`Host: ${host}`, `Authorization: Bearer ${http.token}`, `Content-Length: ${length}`];
  socket.write(`POST /api/v1/uploads?name=a HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
  return socket;
}

function stream(chunks: number, bytes: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull: (controller) => {
      if (sent++ < chunks) controller.enqueue(new Uint8Array(bytes));
      else controller.close();
    },
  });
}

describe("an upload", () => {
  it("is taken with any content type, with and without its length, and empty too", async () => {
    handle = count;
    const bytes = new Uint8Array(300_000);
    for (const type of ["application/octet-stream", "image/png", "application/json", "text/plain"]) {
      expect(await post(bytes, { "content-type": type })).toEqual({ status: 201, json: { bytes: 300_000 } });
    }
    expect(await post(stream(3, 1000))).toEqual({ status: 201, json: { bytes: 3000 } });
    expect(await post(new Uint8Array())).toEqual({ status: 201, json: { bytes: 0 } });
    const bare = await new Promise<number | undefined>((resolve, reject) => {
      const options = { method: "POST", headers: { ...bearer(http.token), "transfer-encoding": "chunked" } };
      httpRequest(`${url}?name=a`, options, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end("no type at all");
    });
    expect(bare).toBe(201);
  });

  it("that is too large is a 413, told before or during it", async () => {
    handle = count;
    expect(await post(new Uint8Array(maxBytes))).toMatchObject({ status: 201 });
    expect(await post(new Uint8Array(maxBytes + 1))).toMatchObject({
      status: 413,
      json: { code: "payload_too_large", hint: expect.any(String) },
    });
    expect(await post(stream(100, 64 * 1024))).toMatchObject({ status: 413, json: { code: "payload_too_large" } });
  });

  it("that its handler refuses has its answer, however much of it comes still", async () => {
    handle = async (file) => {
      for await (const _ of file) throw new BerthError("insufficient_storage", "The disk is full.");
      return 0;
    };
    expect(await post(new Uint8Array(maxBytes))).toMatchObject({ status: 507, json: { detail: "The disk is full." } });
    expect(await post(stream(10, 64 * 1024))).toMatchObject({ status: 507 });
    handle = count;
    expect(await post(new Uint8Array(5)), "and the connection is of use").toMatchObject({ status: 201 });
  });

  it("needs a sign-in and its query, as any call", async () => {
    handle = count;
    expect(await post(new Uint8Array(5), { authorization: "Bearer brt_wrong" })).toMatchObject({ status: 401 });
    expect(await post(new Uint8Array(5), {}, "")).toMatchObject({
      status: 400,
      json: { fields: { name: "is required" } },
    });
  });

  it("that is cut off ends its handler with an error, and is no error of the server's", async () => {
    let failure: unknown;
    let begun = false;
    handle = async (file) => {
      begun = true;
      try {
        return await count(file);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    const before = http.log().length;
    const socket = open(1000);
    socket.write("abc");
    await eventually(() => begun);
    socket.destroy();
    await eventually(() => failure !== undefined);
    expect(failure).toMatchObject({ code: "invalid_request" });
    expect(http.log().slice(before)).not.toContain("request failed");
  });

  it("is not read faster than its handler uses it", async () => {
    const next = Promise.withResolvers<void>();
    let begun = false;
    handle = async (file) => {
      begun = true;
      await next.promise;
      return count(file);
    };
    const length = maxBytes;
    const socket = open(length);
    const answered = new Promise<string>((resolve) => socket.once("data", (data) => resolve(data.toString())));
    socket.write(new Uint8Array(length));
    await eventually(() => begun && request !== undefined);
    // The stream's own buffer is filled, and no more is taken from the socket.
    await eventually(() => (request?.readableLength ?? 0) > 0);
    expect(request?.readableLength).toBeLessThan(length / 2);
    next.resolve();
    expect(await answered).toContain(`{"bytes":${length}}`);
    socket.destroy();
  });

  it("is in the description of the API as bytes", async () => {
    const description = await (await fetch(url.replace("/uploads", "/openapi.json"))).json();
    expect(description).toMatchObject({
      paths: { "/api/v1/uploads": { post: { requestBody: { content: { "application/octet-stream": {} } } } } },
    });
  });
});

describe("an upload with an Idempotency-Key", () => {
  const key = (value: string) => ({ "idempotency-key": value });
  const bytes = Buffer.from("the same bytes");
  /** What the handler has got of each file. */
  let taken: number[];
  beforeEach(() => {
    taken = [];
    handle = async (file) => {
      const size = await count(file);
      taken.push(size);
      return size;
    };
  });

  it("acts once, also for several at once, and answers each alike", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(bytes, key("u1"))));
    answers.push(await post(stream(1, 0), key("u2")), await post(stream(1, 0), key("u2")));
    expect(answers.slice(0, 5)).toEqual(answers.slice(0, 5).map(() => ({ status: 201, json: { bytes: 14 } })));
    expect(answers.slice(5)).toEqual([1, 2].map(() => ({ status: 201, json: { bytes: 0 } })));
    expect(taken).toEqual([14, 0]);
  });

  it("is refused when its bytes or its query are others than before", async () => {
    await post(bytes, key("u3"));
    const others = [await post(Buffer.from("other bytes"), key("u3")), await post(bytes, key("u3"), "?name=b")];
    expect(others.map(({ status, json }) => [status, json.code])).toEqual([
      [422, "idempotency_key_reused"],
      [422, "idempotency_key_reused"],
    ]);
    expect(taken).toEqual([14]);
  });

  it("tries again after a failure, and after a cut", async () => {
    handle = async () => {
      throw new BerthError("conflict", "not now");
    };
    expect((await post(bytes, key("u4"))).status).toBe(409);
    handle = count;
    expect((await post(bytes, key("u4"))).json).toEqual({ bytes: 14 });
    const { host, port } = new URL(url);
    const socket = connect(Number(port), "127.0.0.1");
    const headers = [
      `Host: ${host}`,
      `Authorization: Bearer ${http.token}`,
      "Idempotency-Key: u5",
      "Content-Length: 14",
    ];
    const failed = Promise.withResolvers<void>();
    handle = (file) =>
      count(file).catch((error: unknown) => {
        failed.resolve();
        throw error;
      });
    socket.end(`POST /api/v1/uploads?name=a HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\nthe same`);
    await failed.promise;
    socket.destroy();
    handle = count;
    expect((await post(bytes, key("u5"))).json).toEqual({ bytes: 14 });
  });
});
