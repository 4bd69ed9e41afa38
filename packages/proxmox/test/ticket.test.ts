import type { ServerResponse } from "node:http";
import { Scope } from "@berth/base";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  answer,
  clientFor,
  failureOf,
  type Identity,
  makeIdentity,
  refuse,
  ScriptedServer,
  type SeenRequest,
} from "./scripted-server.ts";

const UPID = "UPID:pve1:000A1B2C:0012D687:65A1B2C3:vzstart:301:berth@pve:";
const VERSION = { version: "8.4.21", release: "8.4" };
const credentials = { kind: "password", user: "berth@pve", password: "s3cret" } as const;

let identity: Identity;
let scope: Scope;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

/** A server that hands out tickets and accepts the newest alone. */
class TicketServer {
  logins = 0;
  valid = 0;

  handle(request: SeenRequest, response: ServerResponse): void {
    const cookie = `PVEAuthCookie=${encodeURIComponent(this.#ticket())}`;
    if (request.url === "/api2/json/access/ticket") {
      this.logins += 1;
      this.valid = this.logins;
      answer(response, { ticket: this.#ticket(), CSRFPreventionToken: `csrf${this.valid}`, username: "berth@pve" });
    } else if (request.headers.cookie !== cookie) {
      refuse(response, 401, "Authentication failed!");
    } else if (request.method !== "GET" && request.headers.csrfpreventiontoken !== `csrf${this.valid}`) {
      refuse(response, 401, "Permission denied - invalid csrf token");
    } else {
      answer(response, request.method === "GET" ? VERSION : UPID);
    }
  }

  #ticket(): string {
    return `PVE:berth@pve:${this.valid}::a+b/c=`;
  }
}

async function start() {
  const tickets = new TicketServer();
  const server = await ScriptedServer.start(scope, identity, (request, response) => tickets.handle(request, response));
  return { tickets, server };
}

describe("a ticket", () => {
  it("is fetched once for calls that start together", async () => {
    const { tickets, server } = await start();
    const client = clientFor(scope, identity, server.url, { credentials });
    await Promise.all(Array.from({ length: 8 }, () => client.cluster.version()));
    await client.containers.start({ node: "pve1", vmid: 301 });
    expect(tickets.logins).toBe(1);
    expect(server.requests[0]).toMatchObject({ method: "POST", body: "username=berth%40pve&password=s3cret" });
    expect(server.requests.slice(1).every((request) => !("authorization" in request.headers))).toBe(true);
  });

  it("is renewed well before two hours", async () => {
    const { tickets, server } = await start();
    let now = 1_000_000;
    const clock = { now: () => now, sleep: () => new Promise<never>(() => {}) };
    const client = clientFor(scope, identity, server.url, { credentials, clock });
    await client.cluster.version();
    now += 59 * 60_000;
    await client.cluster.version();
    expect(tickets.logins).toBe(1);
    now += 2 * 60_000;
    await Promise.all([client.cluster.version(), client.cluster.version()]);
    expect(tickets.logins).toBe(2);
  });

  it("that is refused is replaced once, and the call sent again: a 401 has not acted", async () => {
    const { tickets, server } = await start();
    const client = clientFor(scope, identity, server.url, { credentials });
    await client.cluster.version();
    tickets.valid = 100;
    await Promise.all(Array.from({ length: 4 }, () => client.cluster.version()));
    expect(tickets.logins).toBe(2);
    tickets.valid = 100;
    expect(await client.containers.start({ node: "pve1", vmid: 301 })).toBe(UPID);
    expect(tickets.logins).toBe(3);
  });

  it("that is refused anew ends it", async () => {
    const server = await ScriptedServer.start(scope, identity, (request, response) => {
      if (request.url.endsWith("/ticket")) answer(response, { ticket: "PVE:x", CSRFPreventionToken: "y" });
      else refuse(response, 401, "No ticket");
    });
    const client = clientFor(scope, identity, server.url, { credentials });
    expect(await failureOf(client.cluster.version())).toMatchObject({ kind: "unauthorized", status: 401 });
    expect(server.requests).toHaveLength(4);
  });

  it("is not had with a wrong password, and the error repeats none", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) => {
      response.writeHead(401, "authentication failure", { "content-type": "application/json" });
      response.end(JSON.stringify({ data: null, message: "authentication failure\n" }));
    });
    const client = clientFor(scope, identity, server.url, { credentials });
    const error = await failureOf(client.containers.start({ node: "pve1", vmid: 301 }));
    expect(error).toMatchObject({ kind: "unauthorized", mayHaveActed: false });
    expect(`${error}`).toContain("authentication failure");
    expect(JSON.stringify(error)).not.toContain("s3cret");
    expect(server.requests).toHaveLength(1);
  });

  it("is not had where a second factor is owed", async () => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) =>
      answer(response, { ticket: "PVE:!tfa!x", NeedTFA: 1 }),
    );
    const client = clientFor(scope, identity, server.url, { credentials });
    expect(await failureOf(client.cluster.version())).toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining("second factor"),
    });
  });

  it("that the server broke off may be tried again for a GET, and leaves a POST harmless", async () => {
    let left = 1;
    const tickets = new TicketServer();
    const server = await ScriptedServer.start(scope, identity, (request, response) => {
      left -= 1;
      if (left >= 0) response.socket?.destroy();
      else tickets.handle(request, response);
    });
    const client = clientFor(scope, identity, server.url, { credentials });
    const error = await failureOf(client.containers.start({ node: "pve1", vmid: 301 }));
    expect(error).toMatchObject({ kind: "unreachable", mayHaveActed: false });
    left = 1;
    expect(await client.cluster.version()).toEqual(VERSION);
  });
});

it("an API token that is refused is not tried again", async () => {
  const server = await ScriptedServer.start(scope, identity, (_request, response) =>
    refuse(response, 401, "Authentication failed!"),
  );
  const error = await failureOf(clientFor(scope, identity, server.url).cluster.version());
  expect(error).toMatchObject({
    kind: "unauthorized",
    hint: expect.stringContaining("PROXMOX_TOKEN_ID"),
    message: expect.stringContaining("berth@pve!ctl"),
  });
  expect(server.requests).toHaveLength(1);
});
