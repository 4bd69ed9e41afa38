import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BackendChoice, chooseBackend } from "../src/backend/choice.ts";
import { lxcObstacle } from "../src/backend/lxc/obstacle.ts";

let directory: TemporaryDirectory;
let lines: string[];

beforeEach(async () => {
  directory = await temporaryDirectory();
  lines = [];
});

afterEach(() => directory.dispose());

const choose = (choice: BackendChoice, base: () => Promise<string> = async () => "debian.tar.zst") =>
  chooseBackend(directory.path, { choice, base, report: (line) => void lines.push(line) });

describe("the backend of a data folder", () => {
  it("is LXC where the machine can, and processes otherwise, with a line that says why", async () => {
    const obstacle = await lxcObstacle();
    expect(await choose("auto")).toBe(obstacle === undefined ? "lxc" : "process");
    expect(lines).toEqual(
      obstacle === undefined ? [] : [`containers are processes, with no walls between them: ${obstacle}`],
    );
  });

  it("is processes where there is no Debian to be had", async () => {
    const kind = await choose("auto", async () => {
      throw new Error("no Debian mirror can be reached\nand more");
    });
    expect(kind).toBe("process");
    expect(lines).toHaveLength(1);
    if ((await lxcObstacle()) === undefined) expect(lines[0]).toMatch(/: no Debian mirror can be reached$/);
  });

  it("stays what it was, and is not another one for who insists", async () => {
    expect(await choose("process")).toBe("process");
    expect(await choose("auto")).toBe("process");
    await expect(choose("lxc")).rejects.toThrow(`${directory.path} was made with the process backend`);
    expect(lines).toEqual([]);
  });

  it("is processes for a folder of before there was a choice", async () => {
    await mkdir(join(directory.path, "containers", "150"), { recursive: true });
    expect(await choose("auto")).toBe("process");
  });
});
