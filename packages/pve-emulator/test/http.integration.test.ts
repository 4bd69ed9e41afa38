import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningEmulator } from "../src/index.ts";
import { ApiClient, field, startTestEmulator } from "./api-client.ts";

let directory: TemporaryDirectory;
let emulator: RunningEmulator;
let api: ApiClient;
let certificate: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  emulator = await startTestEmulator(directory.path);
  api = await ApiClient.open(emulator, directory.path);
  certificate = String(
    field(JSON.parse(await readFile(join(directory.path, "certificate.json"), "utf8")), "certificate"),
  );
});

afterAll(async () => {
  await emulator[Symbol.asyncDispose]();
  await directory.dispose();
});

/** Sends bytes as they are; answers everything that comes back until the other side closes. */
function raw(text: string, secure: boolean): Promise<string> {
  const port = Number(new URL(emulator.url).port);
  return new Promise((resolve, reject) => {
    const socket = secure ? connectTls({ port, host: "127.0.0.1", ca: certificate }) : connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.write(text);
  });
}

const head = `Host: localhost\r\nConnection: close\r\n`;

describe("the emulator's HTTP", () => {
  it("sends plain HTTP on the same port to HTTPS", async () => {
    const answer = await raw(`GET /api2/json/version HTTP/1.1\r\n${head}\r\n`, false);
    expect(answer).toMatch(/^HTTP\/1\.1 301 /);
    expect(answer).toMatch(/\r\nLocation: https:\/\/localhost\/api2\/json\/version\r\n/);
  });

  it("answers a missing ticket with a reason and nothing else", async () => {
    const answer = await raw(`GET /api2/json/version HTTP/1.1\r\n${head}\r\n`, true);
    expect(answer).toMatch(/^HTTP\/1\.1 401 No ticket\r\n/);
    expect(answer.toLowerCase()).not.toContain("content-type");
    expect(answer.endsWith("\r\n\r\n")).toBe(true);
  });

  it("refuses chunked bodies, and HEAD", async () => {
    const signed = `Authorization: PVEAPIToken=${emulator.token}\r\n${head}`;
    const chunked = `POST /api2/json/pools HTTP/1.1\r\n${signed}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect(await raw(chunked, true)).toMatch(/^HTTP\/1\.1 501 chunked transfer encoding not supported\r\n/);
    const only = `HEAD /api2/json/version HTTP/1.1\r\n${signed}\r\n`;
    expect(await raw(only, true)).toMatch(/^HTTP\/1\.1 501 Method 'HEAD \/version' not implemented\r\n/);
  });

  it("answers malformed JSON, and a repeated key, as PVE does", async () => {
    const signed = `Authorization: PVEAPIToken=${emulator.token}\r\n${head}`;
    const broken = `POST /api2/json/pools HTTP/1.1\r\n${signed}Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{`;
    const refused = await raw(broken, true);
    expect(refused).toMatch(/^HTTP\/1\.1 500 /);
    expect(refused).toContain("\r\nContent-Type: text/plain\r\n");
    const twice = await raw(`GET /api2/json/cluster/nextid?vmid=201&vmid=202 HTTP/1.1\r\n${signed}\r\n`, true);
    expect(twice).toMatch(/^HTTP\/1\.1 400 Parameter verification failed\.\r\n/);
  });
});

describe("injected faults", () => {
  const inject = (rule: Record<string, unknown>) => api.sendJson("POST", "/_faults", rule);

  it("answer a status instead of handling the call, as often as asked", async () => {
    expect(
      (await inject({ path: "/version", fault: { kind: "status", status: 503, reason: "later" }, times: 1 })).status,
    ).toBe(200);
    expect(await api.call("GET", "/version")).toMatchObject({ status: 503, reason: "later" });
    expect((await api.call("GET", "/version")).status).toBe(200);
  });

  it("lose the answer of a call that had its effect", async () => {
    await inject({ method: "POST", path: "/clone", fault: { kind: "cut", when: "after" }, times: 1 });
    const order = { newid: 250, pool: emulator.pool };
    await expect(api.call("POST", `${api.container(150)}/clone`, order)).rejects.toThrow();
    expect((await api.call("GET", "/cluster/nextid", { vmid: 250 })).status).toBe(400);
  });

  it("are listed, taken away, and refused when they are none", async () => {
    await inject({ path: "/nothing", fault: { kind: "hang" } });
    const listed = (await api.send("GET", "/_faults")).data;
    expect(Array.isArray(listed) && listed.some((rule) => field(rule, "path") === "/nothing")).toBe(true);
    expect((await inject({ path: "(", fault: { kind: "hang" } })).status).toBe(400);
    expect((await inject({ path: "/x", fault: { kind: "explode" } })).status).toBe(400);
    await api.send("DELETE", "/_faults");
    expect((await api.send("GET", "/_faults")).data).toEqual([]);
  });
});
