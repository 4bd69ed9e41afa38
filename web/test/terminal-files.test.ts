import { fileLimits } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { FileQueue, type FileTransfer } from "../src/terminal/files/file-queue.ts";
import { named, type OfferedFile, pastedFiles } from "../src/terminal/files/offered-files.ts";
import type { SendFileOptions } from "../src/terminal/files/send-file.ts";

const now = new Date(2026, 10, 21, 9, 5, 7);
const png = (name: string) => new File(["x"], name, { type: "image/png" });

describe("a paste", () => {
  const clipboard = (files: File[], text: string) =>
    ({ files, getData: () => text }) as unknown as Pick<DataTransfer, "files" | "getData">;
  const names = (files: File[], text: string) => pastedFiles(clipboard(files, text), now).map(({ name }) => name);

  it("of a picture alone is a file, and gets a name by its time", () => {
    expect(names([png("image.png")], "")).toEqual(["image-20261121-090507.png"]);
    expect(names([new File([""], "", { type: "image/jpeg" })], "")).toEqual(["image-20261121-090507.jpg"]);
  });

  it("of text stays text, also where an office program adds a picture of it", () => {
    expect(names([], "ls -l")).toEqual([]);
    expect(names([png("image.png")], "Sum\t42")).toEqual([]);
  });

  it("from a file manager is the files, and not their names", () => {
    expect(names([png("a.png"), png("b c.png")], "a.png\r\nb c.png")).toEqual(["a.png", "b c.png"]);
    expect(names([png("a.png")], "/home/me/a.png")).toEqual(["a.png"]);
  });
});

describe("picked files", () => {
  it("keep their names, but for those that every camera gives", () => {
    const picked = [png("holiday.png"), new File([""], "image.heic"), new File([""], "notes")];
    expect(named(picked, now).map(({ name }) => name)).toEqual(["holiday.png", "image-20261121-090507.heic", "notes"]);
  });
});

describe("the files for a terminal", () => {
  const offer = (name: string, more: Partial<OfferedFile> = {}): OfferedFile => ({
    file: png(name),
    name,
    isFolder: false,
    ...more,
  });

  /** A queue whose files are sent by hand. */
  function byHand() {
    const sent: (SendFileOptions & PromiseWithResolvers<{ path: string; typed: boolean }>)[] = [];
    const queue = new FileQueue({
      terminalId: "trm_1",
      send: (options) => {
        const answer = Promise.withResolvers<{ path: string; typed: boolean }>();
        options.signal.addEventListener("abort", () => answer.reject(new DOMException("", "AbortError")));
        sent.push({ ...options, ...answer });
        return answer.promise;
      },
    });
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const states = () => queue.transfers.get().map(({ name, state }) => [name, state.phase]);
    return { queue, sent, settle, states };
  }
  const idOf = (queue: FileQueue, name: string) =>
    queue.transfers.get().find((transfer: FileTransfer) => transfer.name === name)?.id ?? 0;

  it("go one after the other, in their order, and tell how far they are", async () => {
    const { queue, sent, settle, states } = byHand();
    queue.add([offer("a"), offer("b")]);
    expect(states()).toEqual([
      ["a", "sending"],
      ["b", "waiting"],
    ]);
    sent[0]?.onProgress(1);
    expect(queue.transfers.get()[0]?.state).toEqual({ phase: "sending", sentBytes: 1 });
    sent[0]?.resolve({ path: "/w/a", typed: true });
    await settle();
    expect(sent.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(queue.transfers.get()[0]?.state).toEqual({ phase: "done", path: "/w/a", typed: true });
  });

  it("can be cancelled, while one is sent and while one waits", async () => {
    const { queue, sent, settle, states } = byHand();
    queue.add([offer("a"), offer("b"), offer("c")]);
    queue.remove(idOf(queue, "b"));
    queue.remove(idOf(queue, "a"));
    await settle();
    expect(sent[0]?.signal.aborted).toBe(true);
    expect(states()).toEqual([["c", "sending"]]);
  });

  it("that fail say why, hold up no others, and are tried again by hand", async () => {
    const { queue, sent, settle, states } = byHand();
    queue.add([offer("a"), offer("b")]);
    sent[0]?.reject(new Error("no"));
    await settle();
    expect(states()).toEqual([
      ["a", "failed"],
      ["b", "sending"],
    ]);
    sent[1]?.resolve({ path: "/w/b", typed: true });
    await settle();
    queue.retry(idOf(queue, "a"));
    expect(sent.map(({ name }) => name)).toEqual(["a", "b", "a"]);
    // Both attempts are known to be of one file, and of no other.
    const keys = sent.map(({ key }) => key);
    expect(keys[2]).toBe(keys[0]);
    expect(keys[1]).not.toBe(keys[0]);
  });

  it("that are too large, folders, or not wanted now are never sent", () => {
    const { queue, sent, states } = byHand();
    const large = png("large");
    Object.defineProperty(large, "size", { value: fileLimits.droppedBytes + 1 });
    queue.add([offer("large", { file: large }), offer("folder", { isFolder: true })]);
    queue.add([offer("late")], "bash has ended: start it again to put files here.");
    expect(states().map(([, phase]) => phase)).toEqual(["failed", "failed", "failed"]);
    expect(sent).toEqual([]);
  });

  it("are stopped with their terminal", () => {
    const { queue, sent } = byHand();
    queue.add([offer("a"), offer("b")]);
    queue.dispose();
    expect(sent.map(({ signal }) => signal.aborted)).toEqual([true]);
  });
});
