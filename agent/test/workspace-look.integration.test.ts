import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { workspaceOfEachTest } from "./support/workspace.ts";
import { asInput, linkPath, recordsIn } from "./support/workspace-call.ts";

const workspace = workspaceOfEachTest();
const { at, done, refused } = workspace;

/** Names that programs trip over. */
const oddNames = [" ", "a\nb", "-rf", "--", "'\"$(x)`", "\u202e", "é", "x".repeat(255), "%2e%2e", "..."].map((name) =>
  Buffer.from(name),
);
const notUtf8 = Buffer.from([0xff, 0xfe, 0x0a, 0x80]);

const stat = async (paths: readonly (string | Buffer)[]) => recordsIn((await done("stat", {}, asInput(paths))).body);

async function list(path: string, limit = 100, after?: { folder: boolean; name: string }) {
  const { answer, body } = await done("list", {
    path: linkPath(path),
    limit,
    ...(after ? { after } : {}),
  });
  return { answer, items: recordsIn(body) as { name: string; facts: { type: string } }[] };
}
const named = (items: { name: string }[]) => items.map(({ name }) => Buffer.from(name, "base64url"));

describe("the facts of paths", () => {
  it("come in the order of the paths, of files, folders, links and what is not there", async () => {
    mkdirSync(at("folder"));
    writeFileSync(at("folder/file"), "12345");
    chmodSync(at("folder/file"), 0o4751);
    utimesSync(at("folder/file"), 1, 1234567.25);
    symlinkSync("/etc/passwd", at("link"));
    const [file, none, folder, toPasswd, itself, below] = await stat([
      "folder/file",
      "folder/none",
      "folder",
      "link",
      "",
      "link/x",
    ]);
    expect(file).toEqual({ type: "file", size: 5, mtimeNs: "1234567250000000", mode: 0o4751 });
    expect(none).toBeNull();
    expect(folder).toMatchObject({ type: "folder", size: 0 });
    expect(toPasswd).toMatchObject({ type: "link", size: 0, target: linkPath("/etc/passwd") });
    expect(itself).toMatchObject({ type: "folder" });
    expect(below, "no link is followed").toBeNull();
  });

  it("come for thousands of paths at a time, with any names", async () => {
    const names = [...oddNames, notUtf8];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${workspace.path}/`), name]), name);
    const many = Array.from({ length: 5000 }, (_, index) => names[index % names.length] ?? notUtf8);
    const found = await stat(many);
    expect(found).toHaveLength(5000);
    for (const [index, facts] of found.entries())
      expect(facts).toMatchObject({ type: "file", size: many[index]?.length });
  });

  it("are refused for whatever is no plain path below the workspace", async () => {
    for (const path of ["..", "a/../..", "/etc", "a//b", "a/", "./a", ".", "a/.", "x".repeat(256), "a/".repeat(2500)])
      expect(await refused("stat", {}, asInput([path])), path).toBe("invalid_request");
    expect(await refused("stat", {}, Buffer.from("a"))).toBe("invalid_request");
    expect(await refused("stat", {}, asInput(Array(20_001).fill("a")))).toBe("payload_too_large");
  });
});

describe("a folder's list", () => {
  it("has folders first, then by bytes, in pages, with any names", async () => {
    const names = [...oddNames, notUtf8];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${workspace.path}/`), name]), "");
    for (const name of ["z", "b"]) mkdirSync(at(name));
    const expected = [Buffer.from("b"), Buffer.from("z"), ...names.toSorted(Buffer.compare)];
    const seen: Buffer[] = [];
    let after: { folder: boolean; name: string } | undefined;
    for (let more = true; more; ) {
      const page = await list("", 3, after);
      seen.push(...named(page.items));
      more = (page.answer as { more: boolean }).more;
      const last = page.items.at(-1);
      after = last && { folder: last.facts.type === "folder", name: last.name };
    }
    expect(seen.map((name) => name.toString("latin1"))).toEqual(expected.map((name) => name.toString("latin1")));
  });

  it("goes on where its cursor is, though that entry is gone", async () => {
    for (const name of ["a", "c"]) writeFileSync(at(name), "");
    const { items, answer } = await list("", 10, { folder: false, name: linkPath("b") });
    expect(named(items).map(String)).toEqual(["c"]);
    expect(answer).toEqual({ more: false });
  });

  it("follows no link, and tells a file from a folder", async () => {
    symlinkSync("/etc", at("link"));
    writeFileSync(at("file"), "");
    for (const path of ["link", "link/ssh", "file", "file/x"])
      expect(await refused("list", { path: linkPath(path), limit: 10 }), path).toBe("not_a_folder");
    expect(await refused("list", { path: linkPath("none"), limit: 10 })).toBe("not_found");
  });
});

describe("a call", () => {
  it("that nobody knows, or whose parameters do not fit, is refused", async () => {
    const call = (name: string, params: unknown) => refused(name as "list", params as never);
    expect(await call("toString", {})).toBe("unknown_method");
    expect(await call("list", { path: "+", limit: 1 })).toBe("invalid_request");
    expect(await call("list", { path: "", limit: 0 })).toBe("invalid_request");
  });
});
