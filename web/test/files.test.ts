import { BerthError, type FileEntry } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { changesPath, filesPath, placeOf } from "../src/app/route.ts";
import type { Content, FileContents, WriteOptions } from "../src/files/content.ts";
import { fromField, lineEndsOf, toField } from "../src/files/line-ends.ts";
import { OpenFile } from "../src/files/open-file.ts";
import { folderOf, foldersTo, isWithin, keyOf, placeIn, placeOfAddress } from "../src/files/place.ts";
import { neighbourOf, rowsOf, typedAhead } from "../src/files/rows.ts";
import { FileTree, type FolderPage } from "../src/files/tree.ts";
import { UploadQueue } from "../src/files/upload-queue.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));
const base64url = (bytes: Buffer) => bytes.toString("base64url");

describe("a place in the workspace", () => {
  it("is addressed and linked by its letters, whatever they are", () => {
    for (const path of ["a b/c", "100%/x", "#1?/é", "-rf/\nx"]) {
      expect(placeOf(filesPath("work", { path }))).toMatchObject({ view: { view: "files", path } });
      expect(placeOf(changesPath("work", path))).toMatchObject({ view: { view: "changes", path } });
    }
    expect(placeOf("/sandboxes/work/files/%E0%A4%A")).toMatchObject({ view: { path: "%E0%A4%A" } });
  });

  it("is addressed by its bytes where those are no letters, and so is what is in it", () => {
    const odd = { path: "odd/\ufffd", pathBytes: base64url(Buffer.from("odd/\xff", "latin1")) };
    const place = placeOf(filesPath("work", odd));
    expect(place).toMatchObject({ view: { view: "files", pathBytes: odd.pathBytes } });
    expect(placeOfAddress({ path: "", pathBytes: odd.pathBytes })).toEqual(odd);
    const inner = placeIn(odd, "x");
    expect(inner).toEqual({ path: "odd/\ufffd/x", pathBytes: base64url(Buffer.from("odd/\xff/x", "latin1")) });
    expect(folderOf(inner)).toEqual(odd);
    expect(folderOf(odd)).toEqual({ path: "odd" });
    expect(placeOf("/sandboxes/work/files-bytes/$$")).toEqual({ page: "unknown" });
  });

  it("knows the folders on the way to it", () => {
    expect(foldersTo({ path: "a/b/c" }).map(keyOf)).toEqual(["", "a", "a/b"]);
    expect(isWithin({ path: "a/b" }, { path: "a" })).toBe(true);
    expect(isWithin({ path: "ab" }, { path: "a" })).toBe(false);
  });
});

describe("the tree", () => {
  const entry = (path: string, type: FileEntry["type"] = "file"): FileEntry => ({
    name: path.slice(path.lastIndexOf("/") + 1),
    path,
    type,
    size: 0,
    mtimeNs: "0",
    mode: 0o644,
  });

  function treeOf(folders: Record<string, FileEntry[]>) {
    const asked: string[] = [];
    const tree = new FileTree(async ({ path }, limit, cursor): Promise<FolderPage> => {
      asked.push(path);
      const all = folders[path];
      if (!all) throw new BerthError("not_found", "There is no such folder.");
      const from = Number(cursor ?? 0);
      const items = all.slice(from, from + limit);
      return { items, nextCursor: from + limit < all.length ? String(from + limit) : null };
    });
    const shown = () => rowsOf(tree.state.get()).map((row) => (row.kind === "entry" ? row.entry.path : row.kind));
    return { tree, asked, shown };
  }

  it("lists a folder when it is opened, and forgets one that is gone", async () => {
    const folders = { "": [entry("a", "folder"), entry("z")], a: [entry("a/b", "folder")], "a/b": [entry("a/b/c")] };
    const { tree, asked, shown } = treeOf(folders);
    tree.reveal({ path: "a/b/c" });
    await settle();
    expect(shown()).toEqual(["a", "a/b", "a/b/c", "z"]);
    tree.close({ path: "a" });
    expect(shown()).toEqual(["a", "z"]);
    Object.assign(folders, { "": [entry("z")], a: undefined });
    tree.changed([{ path: "a" }]);
    void tree.reload({ path: "a" });
    await settle();
    expect(shown()).toEqual(["z"]);
    expect([...tree.state.get().folders.keys()]).toEqual([""]);
    expect(asked.filter((path) => path === "a/b")).toHaveLength(1);
  });

  it("lists a folder that changes all the time once more, not once for each change", async () => {
    const { tree, asked } = treeOf({ "": [entry("a")] });
    tree.open({ path: "" });
    for (let count = 0; count < 20; count++) tree.changed([{ path: "a" }]);
    await settle();
    await settle();
    expect(asked).toEqual(["", ""]);
  });

  it("keeps what was asked for of a long folder when that changes", async () => {
    const many = Array.from({ length: 450 }, (_, index) => entry(`f${index}`));
    const { tree, shown } = treeOf({ "": many });
    tree.open({ path: "" });
    await settle();
    expect(shown()).toHaveLength(201);
    expect(shown().at(-1)).toBe("more");
    tree.more({ path: "" });
    await settle();
    many.unshift(entry("new"));
    tree.changed([{ path: "new" }]);
    await settle();
    expect(shown().slice(0, 2)).toEqual(["new", "f0"]);
    expect(shown()).toHaveLength(401);
  });

  it("is walked by keys: to neighbours, into folders and out of them, and by letters", async () => {
    const { tree } = treeOf({ "": [entry("ab", "folder"), entry("ac"), entry("b")], ab: [entry("ab/x")] });
    tree.reveal({ path: "ab/x" });
    await settle();
    const rows = rowsOf(tree.state.get());
    const from = (key: string, move: string) => neighbourOf(rows, key, move)?.key;
    expect(from("ab", "ArrowDown")).toBe("ab/x");
    expect(from("ab", "ArrowRight")).toBe("ab/x");
    expect(from("ab/x", "ArrowLeft")).toBe("ab");
    expect(from("ac", "ArrowRight")).toBeUndefined();
    expect(from("ab", "ArrowUp")).toBeUndefined();
    expect(from("ab", "End")).toBe("b");
    expect(typedAhead(rows, "ab", "a")?.key).toBe("ac");
    expect(typedAhead(rows, "ac", "aa")?.key).toBe("ab");
    expect(typedAhead(rows, "ab", "ac")?.key).toBe("ac");
    expect(typedAhead(rows, "b", "q")).toBeUndefined();
  });
});

describe("a text", () => {
  it("comes back from a text field with the ends of lines that it had", () => {
    for (const text of ["a\nb", "a\r\nb\r\n", "", "one line"]) {
      expect(fromField(toField(text), lineEndsOf(text))).toBe(text);
    }
    for (const text of ["a\r\nb\n", "a\rb", "a\r\n\rb"]) expect(lineEndsOf(text)).toBe("mixed");
  });
});

describe("an open file", () => {
  interface Disk {
    /** Null: there is no file. */
    text: string | null;
    writes: string[];
    refusal?: BerthError;
  }

  /** A file in a sandbox, whose version is its text. */
  function fileWith(initial: string) {
    const disk: Disk = { text: initial, writes: [] };
    const contents: FileContents = {
      read: async (): Promise<Content> => {
        if (disk.text === null) throw new BerthError("not_found", "It is gone.");
        return { kind: "text", text: disk.text, version: disk.text, bytes: disk.text.length };
      },
      write: async ({ body, expected }: WriteOptions) => {
        if (disk.refusal) throw disk.refusal;
        const known =
          expected === undefined || (expected === "absent" ? disk.text === null : expected.version === disk.text);
        if (!known) throw new BerthError("conflict", "The file has changed.");
        disk.text = await body.text();
        disk.writes.push(disk.text);
        return { path: "f", version: disk.text, size: 0, mtimeNs: "0", mode: 0, created: false };
      },
    };
    const file = new OpenFile({ path: "f" }, contents);
    return { file, disk };
  }

  async function edited(initial: string, draft: string) {
    const made = fileWith(initial);
    await made.file.load();
    made.file.edit();
    made.file.type(draft);
    return made;
  }

  it("is saved over the version that was read, with its own ends of lines", async () => {
    const { file, disk } = await edited("a\r\nb\r\n", "a\nc\n");
    expect(file.isEdited).toBe(true);
    await file.save();
    expect(disk.text).toBe("a\r\nc\r\n");
    expect(file.state.get()).toMatchObject({ draft: undefined, saving: false, failure: null });
    file.edit();
    file.type("a\nd\n");
    await file.save();
    expect(disk.text).toBe("a\r\nd\r\n");
  });

  it("keeps what is typed when the sandbox changes it, and overwrites only what was shown", async () => {
    const { file, disk } = await edited("old", "mine");
    disk.text = "theirs";
    await file.load();
    expect(file.state.get()).toMatchObject({ draft: "mine", outdated: true });
    await file.save();
    expect(file.state.get().conflict?.content).toMatchObject({ text: "theirs" });
    disk.text = "theirs, newer";
    await file.overwrite();
    expect(disk.writes).toEqual([]);
    expect(file.state.get().conflict?.content).toMatchObject({ text: "theirs, newer" });
    file.keepEditing();
    expect(file.state.get().draft).toBe("mine");
    await file.save();
    await file.overwrite();
    expect(disk.text).toBe("mine");
    expect(file.state.get()).toMatchObject({ draft: undefined, conflict: undefined, outdated: false });
  });

  it("takes theirs when that is wanted", async () => {
    const { file, disk } = await edited("old", "mine");
    disk.text = "theirs";
    await file.save();
    file.takeTheirs();
    expect(file.state.get()).toMatchObject({ draft: undefined, content: { text: "theirs" } });
    expect(disk.text).toBe("theirs");
  });

  it("that was deleted meanwhile is written anew, or dropped", async () => {
    const { file, disk } = await edited("old", "mine");
    disk.text = null;
    await file.load();
    expect(file.state.get()).toMatchObject({ gone: true, draft: "mine" });
    disk.text = "somebody else's";
    await file.save();
    expect(file.state.get().conflict?.content).toMatchObject({ text: "somebody else's" });
    file.keepEditing();
    disk.text = null;
    await file.save();
    expect(disk.text).toBe("mine");
    expect(file.state.get()).toMatchObject({ gone: false, draft: undefined });
  });

  it("says why a save failed for another reason, and keeps what was typed", async () => {
    const { file, disk } = await edited("old", "mine");
    disk.refusal = new BerthError("conflict", "It lies in a folder that cannot be written.");
    await file.save();
    expect(file.state.get()).toMatchObject({ draft: "mine", conflict: undefined, saving: false });
    expect(file.state.get().failure?.message).toBe("It lies in a folder that cannot be written.");
  });
});

describe("uploads", () => {
  function queueOn(existing: ReadonlySet<string>) {
    const written: string[] = [];
    const made: string[] = [];
    const queue = new UploadQueue({
      write: async ({ place, expected }) => {
        if (expected === "absent" && existing.has(place.path)) throw new BerthError("conflict", "It exists.");
        written.push(place.path);
        return { path: place.path, version: "", size: 0, mtimeNs: "0", mode: 0, created: true };
      },
      makeFolder: async ({ path }) => void made.push(path),
      onWritten: () => {},
    });
    return { queue, written, made };
  }
  const uploaded = (path: string, inFolder = false) => ({ place: { path }, file: new File(["x"], path), inFolder });

  it("replace nothing unasked, and hold up no others", async () => {
    const { queue, written } = queueOn(new Set(["a"]));
    queue.add([uploaded("a"), uploaded("b")]);
    await settle();
    expect(written).toEqual(["b"]);
    const [first] = queue.uploads.get();
    expect(first?.state).toMatchObject({ phase: "failed", exists: true });
    queue.retry(first?.id ?? 0, true);
    await settle();
    expect(written).toEqual(["b", "a"]);
  });

  it("of a folder make it once", async () => {
    const { queue, written, made } = queueOn(new Set());
    queue.add([uploaded("d/a", true), uploaded("d/b", true), uploaded("d/e/c", true)]);
    await settle();
    await settle();
    expect(written).toEqual(["d/a", "d/b", "d/e/c"]);
    expect(made).toEqual(["d", "d/e"]);
  });
});
