import type { Drift, Node } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { placeOf, viewPath } from "../src/app/route.ts";
import { nameLike } from "../src/fleet/name-suggestion.ts";
import { emptySource, fieldOfRefusal, nameOfSource, workspaceOf, wrongSource } from "../src/fleet/source.ts";
import { bodyOf, plainWish, roomText } from "../src/fleet/wish.ts";
import { changeOf, setBack, takenOver } from "../src/sandbox-settings/change.ts";
import { suggestForkName, suggestSnapshotName, wrongSandboxName, wrongSnapshotName } from "../src/snapshots/names.ts";
import { FakeFleet } from "./fake-fleet.ts";

describe("an address of what is seen of a sandbox", () => {
  it.each([
    { view: "terminals", terminalId: "trm_1" },
    { view: "files", path: "a dir/ä.txt" },
    { view: "changes", path: "sub/repo" },
    { view: "snapshots" },
    { view: "settings" },
  ] as const)("leads to $view and says which sandbox", (view) => {
    expect(placeOf(viewPath("web", view))).toEqual({ page: "sandbox", name: "web", view });
  });
});

describe("a change of a sandbox", () => {
  const sandbox = new FakeFleet().add("web", "ready", { cores: 2, sleepAfterMinutes: 30, protection: true });

  it("is what was edited and is another now", () => {
    expect(changeOf(sandbox, { name: "web", cores: 4, sleepAfterMinutes: 30, protection: false })).toEqual({
      cores: 4,
      protection: false,
    });
    expect(changeOf(sandbox, { sleepAfterMinutes: null })).toEqual({ sleepAfterMinutes: null });
    expect(changeOf(sandbox, {})).toEqual({});
  });

  it("takes over what was changed in Proxmox, or sets it back, as far as each can be", () => {
    const drift: Drift[] = [
      { setting: "cores", wanted: 2, found: 0 },
      { setting: "memoryMiB", wanted: 2048, found: 4096 },
      { setting: "diskGiB", wanted: 8, found: 20 },
      { setting: "protection", wanted: true, found: false },
    ];
    expect(takenOver(drift), "a number of cores that Berth has no word for").toEqual({
      memoryMiB: 4096,
      diskGiB: 20,
      protection: false,
    });
    expect(setBack(drift), "a disk does not shrink").toEqual({ cores: 2, memoryMiB: 2048, protection: true });
  });
});

describe("a name that is suggested", () => {
  it("is free, and the controller takes it", () => {
    const noon = new Date(2026, 10, 21, 9, 5);
    const first = suggestSnapshotName(new Set(), noon);
    const next = suggestSnapshotName(new Set([first]), noon);
    expect([first, next]).toEqual(["at-2026-11-21-09-05", "at-2026-11-21-09-05-2"]);
    expect(wrongSnapshotName(next, new Set([first]))).toBeUndefined();
    expect(suggestForkName("web", new Set())).toBe("web-copy");
    expect(suggestForkName("web-copy-2", new Set(["web-copy"]))).toBe("web-copy-2");
    const long = suggestForkName(`a${"-b".repeat(31)}`, new Set());
    expect(wrongSandboxName(long, new Set()), long).toBeUndefined();
  });

  it("is told from those that are not", () => {
    expect(wrongSnapshotName("1st", new Set())).toMatch(/A letter, then/);
    expect(wrongSnapshotName("berth-mine", new Set())).toMatch(/reserved/);
    expect(wrongSnapshotName("kept", new Set(["kept"]))).toMatch(/There is a snapshot/);
    expect(wrongSandboxName("Web", new Set())).toMatch(/Lower-case/);
    expect(wrongSandboxName("web", new Set(["web"]))).toMatch(/There is a sandbox/);
  });
});

describe("the source of a new workspace", () => {
  const git = (url: string) => ({ ...emptySource, kind: "git", url }) as const;

  it.each([
    ["https://git.lan/me/My_App.git", "my-app"],
    ["git@git.lan:tools", "tools"],
    ["ssh://git.lan/~me/x.git/", "x"],
    ["https://git.lan/me/...", undefined],
    ["", undefined],
  ])("%j gives a sandbox the name %j", (url, name) => {
    expect(nameLike(nameOfSource(git(url)) ?? "", new Set())).toBe(name);
  });

  it("gives a name that is free, and a label however long", () => {
    expect(nameLike("app", new Set(["app"]))).toBe("app-2");
    const long = nameLike("a".repeat(58).concat("--bcdefgh"), new Set());
    expect(wrongSandboxName(long ?? "", new Set())).toBeUndefined();
  });

  it("sends nothing of the sources that are not chosen", () => {
    const typed = { ...emptySource, url: "https://git.lan/a", project: "https://git.lan/p", path: "/srv/a" };
    expect(workspaceOf(typed)).toBeUndefined();
    expect(workspaceOf({ ...typed, kind: "folder", branch: "b" })).toEqual({ type: "folder", path: "/srv/a" });
    expect(workspaceOf({ ...typed, kind: "project" })).toEqual({ type: "git", url: "https://git.lan/p" });
  });

  it("is told what is wrong with it, and of a refusal which field it is about", () => {
    expect(wrongSource({ ...git("-x"), branch: "x.lock" })).toEqual({
      ...{ url: expect.stringContaining("hyphen"), branch: expect.stringContaining("branch") },
    });
    expect(wrongSource(emptySource)).toEqual({});
    const refusal = { code: "forbidden", message: "no" };
    expect(fieldOfRefusal(refusal, { ...emptySource, kind: "folder", path: "/x" })).toBe("path");
    expect(fieldOfRefusal(refusal, git("/srv/repository"))).toBe("url");
    // Of a remote elsewhere, this one says nothing: somebody may not make sandboxes at all.
    expect(fieldOfRefusal(refusal, git("https://git.lan/a"))).toBeUndefined();
    expect(
      fieldOfRefusal({ code: "limit_exceeded", message: "no" }, { ...emptySource, kind: "folder" }),
    ).toBeUndefined();
  });
});

describe("a wish for a new sandbox", () => {
  it("leaves to the controller what nobody has chosen", () => {
    expect(bodyOf(plainWish)).toEqual({});
    expect(bodyOf({ ...plainWish, size: "large", vlan: 20, node: "pve2", sleepAfterMinutes: "off" })).toEqual({
      ...{ size: "large", vlan: 20, node: "pve2", sleepAfterMinutes: "off" },
    });
    expect(bodyOf({ ...plainWish, size: "own", own: { cores: 3, memoryMiB: 512, diskGiB: 9 } })).toEqual({
      ...{ cores: 3, memoryMiB: 512, diskGiB: 9 },
    });
  });

  it("is shown the room that a node has, or why none", () => {
    const gib = 1024 ** 3;
    const storage = { name: "tank", type: "zfspool", shared: false, totalBytes: 500 * gib, freeBytes: 80.26 * gib };
    const node: Node = {
      ...{ name: "pve1", online: true, maintenance: false, cpu: 0.1, cores: 8, uptimeSeconds: 5, sandboxes: 1 },
      ...{ memoryBytes: 16 * gib, memoryUsedBytes: 3 * gib, memoryPromisedBytes: 1.5 * gib, avoided: null },
      ...{ storages: [storage, { ...storage, freeBytes: null }], templates: [] },
    };
    expect(roomText(node)).toBe("pve1: 11.5 GiB memory, 80.3 GiB disk free");
    expect(roomText({ ...node, memoryBytes: null, storages: [] })).toBe("pve1");
    expect(roomText({ ...node, avoided: { kind: "offline", reason: "it is down" } })).toBe("pve1: offline");
  });
});
