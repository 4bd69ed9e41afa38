import { describe, expect, it } from "vitest";
import type { AccessState } from "../src/access/access-state.ts";
import { callerOf } from "../src/access/caller.ts";
import { Rights } from "../src/access/rights.ts";
import { controllerRole } from "../src/access/roles.ts";
import { defineRoute } from "../src/http/route.ts";
import { node, vmid } from "../src/schema/parameters.ts";

const token = (userid: string, name: string, separated: boolean) => ({ userid, name, secret: "s", separated });
const grant = (path: string, subject: string, role = controllerRole, propagate = true) => {
  return { path, subject, role, propagate };
};

const state: AccessState = {
  rootPassword: "p",
  ticketKey: "00",
  users: ["root@pam", "controller@pve"],
  tokens: [
    token("controller@pve", "plain", false),
    token("controller@pve", "bound", true),
    token("root@pam", "own", true),
  ],
  acl: [
    grant("/vms/150", "controller@pve"),
    grant("/pool/sandboxes", "controller@pve"),
    grant("/vms", "controller@pve", "NoAccess"),
    grant("/vms/150", "controller@pve!bound"),
  ],
};
const rights = new Rights(state, (id) => (id === 201 ? "sandboxes" : undefined));

describe("rights", () => {
  it("are a user's for a token that is not separated, and shared ones for one that is", () => {
    expect(rights.has(callerOf("controller@pve", "plain"), "/vms/201", "VM.Audit")).toBe(true);
    expect(rights.has(callerOf("controller@pve", "bound"), "/vms/150", "VM.Audit")).toBe(true);
    expect(rights.has(callerOf("controller@pve", "bound"), "/vms/201", "VM.Audit")).toBe(false);
    expect(rights.has(callerOf("root@pam", "own"), "/vms/201", "VM.Audit")).toBe(false);
  });

  it("reach a pool's members, and nobody else's containers", () => {
    const caller = callerOf("controller@pve");
    expect(rights.has(caller, "/vms/201", "VM.Allocate")).toBe(true);
    expect(rights.has(caller, "/vms/202", "VM.Audit")).toBe(false);
    expect(rights.has(caller, "/", "Sys.Audit")).toBe(false);
  });

  it("of the deepest path win over those above", () => {
    expect(rights.has(callerOf("controller@pve"), "/vms/150", "VM.Clone")).toBe(true);
    expect(rights.has(callerOf("controller@pve"), "/vms/151", "VM.Clone")).toBe(false);
  });

  it("are told with the path and the privileges wanted, but not inside an alternative", () => {
    const caller = callerOf("controller@pve");
    const clone = {
      or: [
        { path: "/vms/{newid}", privileges: ["VM.Allocate"] },
        { path: "/pool/{pool}", privileges: ["VM.Allocate"], requireParameter: "pool" },
      ],
    };
    expect(() => rights.demand(caller, clone, { newid: 300, pool: "sandboxes" })).not.toThrow();
    expect(() => rights.demand(caller, clone, { newid: 300, pool: "" })).toThrow(/^Permission check failed$/);
    const audit = { path: "/vms/{vmid}", privileges: ["VM.Audit"] };
    expect(() => rights.demand(caller, audit, { vmid: 300 })).toThrow(
      /^Permission check failed \(\/vms\/300, VM.Audit\)$/,
    );
  });

  it("are looked at before parameters, and parameters before the handler", async () => {
    let handled = false;
    const route = defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc/{vmid}/config",
      permission: { path: "/vms/{vmid}", privileges: ["VM.Audit"] },
      parameters: { node, vmid },
      handle: () => {
        handled = true;
      },
    });
    const wrong = { node: "pve", vmid: "150", nonsense: 1 };
    expect(() => route.run(wrong, callerOf("controller@pve"))).toThrow(/^Parameter verification failed\.$/);
    expect(handled).toBe(false);
  });
});
