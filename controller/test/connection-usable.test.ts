import type { DoctorCheck } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { hindrance } from "../src/connection/usable.ts";

const check = (id: string, state: DoctorCheck["state"]): DoctorCheck => ({
  id,
  title: id,
  state,
  detail: id,
  fix: null,
});
const found = (...checks: [string, DoctorCheck["state"]][]) =>
  hindrance(checks.map(([id, state]) => check(id, state)))?.id;

describe("whether a connection can be used", () => {
  it.each([
    ["a token that is refused", ["proxmox:https://a", "failed"], "proxmox:https://a"],
    ["a certificate that is another", ["certificate:https://a", "failed"], "certificate:https://a"],
    ["a version that is too old", ["version:https://a", "failed"], "version:https://a"],
    ["a privilege that is lacking", ["privilege:/pool/x:VM.Clone", "failed"], "privilege:/pool/x:VM.Clone"],
    ["a privilege that cannot be seen", ["privilege:/pool/x:VM.Clone", "unknown"], "privilege:/pool/x:VM.Clone"],
    ["a cluster that cannot be asked", ["cluster", "unknown"], "cluster"],
    ["no node with the bridge", ["bridge:a", "failed"], "bridge:a"],
  ] as const)("is denied by %s", (_what, [id, state], expected) => {
    expect(found(["pool", "warning"], [id, state])).toBe(expected);
  });

  it("is not denied by a template that is still to be built, nor by what is for a build alone", () => {
    expect(
      found(["template", "warning"], ["archives:a", "warning"], ["privilege:/nodes/a:Sys.Audit", "warning"]),
    ).toBeUndefined();
  });

  it("is not denied where one node of several has the storage and the bridge", () => {
    expect(
      found(["storage:a", "failed"], ["storage:b", "ok"], ["bridge:a", "failed"], ["bridge:b", "warning"]),
    ).toBeUndefined();
  });

  it("is not denied by an address that is away while another one answers", () => {
    const away: [string, DoctorCheck["state"]][] = [
      ["proxmox:https://b", "warning"],
      ["certificate:https://b", "unknown"],
      ["version:https://b", "unknown"],
    ];
    expect(found(["proxmox:https://a", "ok"], ...away)).toBeUndefined();
    expect(found(["proxmox:https://b", "failed"], ["certificate:https://b", "unknown"])).toBe("proxmox:https://b");
  });
});
