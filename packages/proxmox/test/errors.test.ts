import { Scope } from "@berth/base";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isProxmoxError, type ProxmoxFailure } from "../src/index.ts";
import { clientFor, failureOf, type Identity, makeIdentity, refuse, ScriptedServer } from "./scripted-server.ts";

let identity: Identity;
let scope: Scope;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

const CT = { node: "pve1", vmid: 150 };
const PERMISSION = "Permission check failed (/vms/150, VM.Clone)";

// Texts of PVE 8.4, from shared measurements.
const refusals: [status: number, reason: string, failure: Partial<ProxmoxFailure>][] = [
  [403, PERMISSION, { kind: "forbidden", objectPath: "/vms/150", privileges: ["VM.Clone"] }],
  [
    403,
    "Permission check failed (/, Sys.Audit|Sys.Modify)",
    { kind: "forbidden", privileges: ["Sys.Audit", "Sys.Modify"] },
  ],
  [403, "Permission check failed", { kind: "forbidden", objectPath: undefined, privileges: [] }],
  [403, "Permission check failed (user != root@pam)", { kind: "forbidden", objectPath: undefined, privileges: [] }],
  [500, "CT is locked (disk)", { kind: "locked", lock: "disk" }],
  [500, "CT is locked (snapshot-delete)", { kind: "locked", lock: "snapshot-delete" }],
  [500, "can't lock file '/run/lock/lxc/pve-config-301.lock' - got timeout", { kind: "lock_timeout" }],
  [500, "can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout", { kind: "lock_timeout" }],
  [500, "CT 301 already exists on node 'pve1'", { kind: "exists", vmid: 301 }],
  [500, "unable to create CT 301: CT 301 already exists on node 'pve1'", { kind: "exists", vmid: 301 }],
  [500, "Configuration file 'nodes/pve1/lxc/999.conf' does not exist", { kind: "missing", vmid: 999 }],
  [500, "CT 203 already running", { kind: "running" }],
  [500, "unable to destroy CT 203 - container is running", { kind: "running" }],
  [500, "you can't convert a CT to template if the CT is running", { kind: "running" }],
  [500, "CT 203 not running", { kind: "not_running" }],
  [500, "VM 203 not running", { kind: "not_running" }],
  [500, "can't remove CT 203 - protection mode enabled", { kind: "protected" }],
  [500, "detected modified configuration - file changed by other user? Try again.", { kind: "modified" }],
  [595, "No route to host", { kind: "node_offline" }],
  [500, "no such cluster node 'pve9'", { kind: "other" }],
  [501, "Method 'POST /nodes/pve1/x' not implemented", { kind: "other" }],
  [500, "Speicher voll: größer", { kind: "other", detail: "Speicher voll: größer" }],
];

describe("a refusal by reason phrase alone", () => {
  it.each(refusals)("%i %s", async (status, reason, failure) => {
    const server = await ScriptedServer.start(scope, identity, (_request, response) =>
      refuse(response, status, Buffer.from(reason).toString("latin1")),
    );
    const client = clientFor(scope, identity, server.url);
    const error = await failureOf(client.containers.clone(CT, { newId: 301 }));
    if (!isProxmoxError(error)) throw error;
    expect(error.failure).toMatchObject(failure);
    expect(error).toMatchObject({
      status,
      reason,
      method: "POST",
      path: "/nodes/pve1/lxc/150/clone",
      mayHaveActed: false,
    });
    expect(error.message).not.toBe("");
    expect(error.hint).not.toBe("");
    expect(server.requests).toHaveLength(1);
  });
});

it("parameters that are refused are named", async () => {
  const server = await ScriptedServer.start(scope, identity, (_request, response) => {
    response.writeHead(400, "Parameter verification failed.", { "content-type": "application/json" });
    const errors = { cores: "type check ('integer') failed - got 'x'\n" };
    response.end(JSON.stringify({ data: null, message: "Parameter verification failed.\n", errors }));
  });
  const error = await failureOf(clientFor(scope, identity, server.url).containers.configure(CT, { cores: 2 }));
  if (!isProxmoxError(error, "invalid")) throw error;
  expect(error.failure.errors).toEqual({ cores: "type check ('integer') failed - got 'x'" });
  expect(error.message).toContain("cores: type check");
});

it("a missing privilege comes with the lines that grant it, to the user and to the token", async () => {
  const server = await ScriptedServer.start(scope, identity, (_request, response) => refuse(response, 403, PERMISSION));
  const error = await failureOf(clientFor(scope, identity, server.url).containers.clone(CT, { newId: 301 }));
  if (!isProxmoxError(error, "forbidden")) throw error;
  expect(error.message).toContain("berth@pve!ctl lacks the privilege VM.Clone on /vms/150");
  expect(error.hint).toContain("pveum role add Berth-VM.Clone --privs VM.Clone");
  expect(error.hint).toContain("pveum acl modify /vms/150 --users 'berth@pve' --roles Berth-VM.Clone");
  expect(error.hint).toContain("pveum acl modify /vms/150 --tokens 'berth@pve!ctl' --roles Berth-VM.Clone");
});

it("the body's message is taken where it says more than the reason phrase", async () => {
  const server = await ScriptedServer.start(scope, identity, (_request, response) => {
    response.writeHead(500, "Internal Server Error");
    response.end(JSON.stringify({ data: null, message: "clone failed: CT is locked (disk)\n" }));
  });
  const error = await failureOf(clientFor(scope, identity, server.url).containers.clone(CT, { newId: 301 }));
  expect(error).toMatchObject({ kind: "locked", reason: "Internal Server Error" });
});
