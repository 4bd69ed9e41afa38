import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkspaceParams, WorkspaceRecord } from "@berth/protocol/link";
import { describe, expect, it } from "vitest";
import { until } from "./support/pty-host.ts";
import { workspaceOfEachTest } from "./support/workspace.ts";
import { linkPath, recordsIn } from "./support/workspace-call.ts";

const workspace = workspaceOfEachTest();
const { at, begin, done, refused } = workspace;

const text = (path: string) => Buffer.from(path, "base64url").toString();
const asked = (query: string, more: Partial<WorkspaceParams<"search">> = {}): WorkspaceParams<"search"> => ({
  path: "",
  what: "content",
  query,
  regex: false,
  caseSensitive: false,
  ignored: false,
  limit: 100,
  ...more,
});
async function search(query: string, more: Partial<WorkspaceParams<"search">> = {}) {
  const { body } = await done("search", asked(query, more));
  const records = recordsIn(body) as WorkspaceRecord<"search">[];
  const last = records.pop();
  const items = records.flatMap((record) => ("path" in record ? [{ ...record, path: text(record.path) }] : []));
  return {
    items: items.sort((a, b) => a.path.localeCompare(b.path)),
    end: last && "end" in last ? last.end : undefined,
  };
}

describe("a search", () => {
  it("finds text with its line and place, and leaves out what git ignores unless asked", async () => {
    mkdirSync(at("sub/.git"), { recursive: true });
    writeFileSync(at("sub/a\nb"), "first\nsecond é Needle needle\n");
    writeFileSync(at("sub/ignored"), "needle");
    writeFileSync(at("sub/.gitignore"), "ignored\n");
    writeFileSync(at("sub/.hidden"), "NEEDLE");
    expect(await search("needle")).toEqual({
      items: [
        { path: "sub/.hidden", match: { line: 1, text: "NEEDLE", ranges: [[0, 6]] } },
        {
          path: "sub/a\nb",
          match: {
            line: 2,
            text: "second é Needle needle",
            ranges: [
              [9, 15],
              [16, 22],
            ],
          },
        },
      ],
      end: "complete",
    });
    expect((await search("needle", { ignored: true })).items).toHaveLength(3);
    expect((await search("Needle", { caseSensitive: true, path: linkPath("sub") })).items).toMatchObject([
      { path: "sub/a\nb", match: { ranges: [[9, 15]] } },
    ]);
    expect((await search("ne+dle$", { regex: true })).items).toHaveLength(2);
  });

  it("finds names, and takes a query for nothing else", async () => {
    mkdirSync(at("Folder"));
    for (const name of ["Folder/Some.txt", "-o", "--pre=touch evil"]) writeFileSync(at(name), name);
    expect((await search("some.TXT", { what: "name" })).items).toEqual([{ path: "Folder/Some.txt" }]);
    expect((await search("-o", { what: "name" })).items).toEqual([{ path: "-o" }]);
    expect((await search("--pre=touch evil")).items).toMatchObject([{ path: "--pre=touch evil" }]);
    expect((await search("$(touch evil)")).items).toEqual([]);
    expect(readdirSync(workspace.path)).not.toContain("evil");
  });

  it("follows no link, ends at its limit, and says what is wrong with a pattern", async () => {
    writeFileSync(join(workspace.outside, "secret"), "needle");
    symlinkSync(workspace.outside, at("up"));
    symlinkSync(join(workspace.outside, "secret"), at("link"));
    expect((await search("needle")).items).toEqual([]);
    expect(await refused("search", asked("x", { path: linkPath("up") }))).toBe("not_a_folder");
    writeFileSync(at("many"), "needle\n".repeat(1000));
    expect(await search("needle", { limit: 10 })).toMatchObject({
      items: Array(10).fill({ path: "many" }),
      end: "limit",
    });
    const wrong = await begin("search", asked("(", { regex: true })).whole();
    expect(wrong.closed).toMatchObject({
      code: "invalid_request",
      detail: expect.stringContaining("regex parse error"),
    });
  });

  it("says so where ripgrep is missing, and ends when nobody waits for it", async () => {
    writeFileSync(at("big"), "needle\n".repeat(2_000_000));
    const call = begin("search", asked("needle", { limit: 2000 }));
    await until(() => call.bytes > 0 || call.closed !== undefined);
    call.channel.close({ code: "cancelled" });
    workspace.environment.PATH = "/nowhere";
    const { closed } = await begin("search", asked("x")).whole();
    expect(closed).toMatchObject({ code: "missing_program", detail: expect.stringContaining("package ripgrep") });
  });
});

describe("a watch", () => {
  const watch = async (path = "") => {
    const call = begin("watch", { path: linkPath(path) });
    await until(() => call.answer !== undefined || call.closed !== undefined);
    const seen = () =>
      (call.records as WorkspaceRecord<"watch">[]).flatMap((record) =>
        "changed" in record ? record.changed.map(text) : [],
      );
    return { call, seen };
  };

  it("tells what comes, changes and goes, in new folders, too", async () => {
    mkdirSync(at("a/b"), { recursive: true });
    const { call, seen } = await watch();
    expect(call.answer).toEqual({ partial: false });
    writeFileSync(at("a/b/f"), "");
    await until(() => seen().includes("a/b/f"));
    mkdirSync(at("new/deep/er"), { recursive: true });
    writeFileSync(at("new/deep/er/f"), "");
    await until(() => seen().includes("new/deep/er/f"));
    renameSync(at("new"), at("newer"));
    await until(() => seen().includes("newer/deep/er/f"));
    writeFileSync(at("newer/deep/er/g"), "");
    await until(() => seen().includes("newer/deep/er/g"));
    rmSync(at("a"), { recursive: true });
    await until(() => seen().includes("a"));
    call.channel.close();
  });

  it("tells of a branch that was changed, and not of what interests nobody", async () => {
    for (const folder of [".git/objects", "node_modules/x", ".berth"]) mkdirSync(at(folder), { recursive: true });
    const { call, seen } = await watch();
    for (const path of [".git/objects/o", "node_modules/x/f", ".berth/f", ".git/HEAD", "last"])
      writeFileSync(at(path), "");
    await until(() => seen().includes("last"));
    expect(new Set(seen())).toEqual(new Set([".git/HEAD", "last"]));
    call.channel.close();
  });

  it("does not leave the workspace by a link, and tells little of a flood", async () => {
    mkdirSync(join(workspace.outside, "other"));
    symlinkSync(join(workspace.outside, "other"), at("link"));
    expect(await refused("watch", { path: linkPath("link") })).toBe("not_a_folder");
    const { call, seen } = await watch();
    writeFileSync(join(workspace.outside, "other/f"), "");
    for (let index = 0; index < 6000; index += 1) writeFileSync(at(`f${index}`), "");
    await until(() => call.records.some((record) => JSON.stringify(record) === '{"overflow":true}'));
    expect(seen()).not.toContain("link/f");
    call.channel.close();
  });
});
