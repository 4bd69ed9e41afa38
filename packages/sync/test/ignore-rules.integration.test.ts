import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findIgnoreFiles } from "../src/filter/find-ignore-files.ts";
import { filterRules } from "../src/filter/rules.ts";
import { Pair, treeOf } from "./support/pair.ts";

const files = [
  "a",
  "b.log",
  "[x]",
  "d/a",
  "d/b.log",
  "d/e/a",
  "d/e/c.txt",
  "f/d/a",
  "f/d/e/b.log",
  "d*/q",
  "back\\slash/a",
];

/** A repository with these ignore files; answers what git and what rsync would take along. */
async function compare(ignores: Readonly<Record<string, string>>): Promise<{ git: string[]; rsync: string[] }> {
  const root = mkdtempSync(join(tmpdir(), "berth-ignore-"));
  try {
    for (const file of files) write(join(root, "tree", file), "x");
    for (const [folder, text] of Object.entries(ignores)) write(join(root, "tree", folder, ".gitignore"), text);
    execFileSync("git", ["init", "-q", join(root, "tree")]);
    const listed = execFileSync("git", ["-C", join(root, "tree"), "ls-files", "-o", "-z", "--exclude-standard"]);
    const found = await findIgnoreFiles(join(root, "tree"));
    const options = { excludes: [], gitignore: true, defaultExcludes: false, git: false };
    writeFileSync(
      join(root, "filter"),
      filterRules(found, options)
        .map((rule) => `${rule}\0`)
        .join(""),
      "latin1",
    );
    mkdirSync(join(root, "copy"));
    const merge = `--filter=merge ${join(root, "filter")}`;
    execFileSync("rsync", ["-a", "-m", "--from0", merge, `${join(root, "tree")}/`, `${join(root, "copy")}/`]);
    const copied = Object.entries(await treeOf(join(root, "copy"))).filter(([, what]) => what.startsWith("file"));
    return {
      git: listed.toString("latin1").split("\0").slice(0, -1).sort(),
      rsync: copied.map(([name]) => name).sort(),
    };
  } finally {
    rmSync(root, { recursive: true });
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const cases: readonly (readonly [string, Record<string, string>])[] = [
  ["a name, anywhere", { "": "a\n" }],
  ["a folder alone", { "": "e/\n" }],
  ["an anchored path", { "": "/d/a\nf/d/e\n" }],
  ["a wildcard, and one taken back", { "": "*.log\n!d/b.log\n" }],
  ["nothing below what is left out can be taken back", { "": "d/\n!d/a\n" }],
  ["** at the beginning, in the middle and at the end", { "": "**/e/a\nf/**/b.log\nd/e/**\n" }],
  ["the last line that matches", { "": "!a\na\n!/a\n" }],
  ["a deeper file over those above it", { "": "*.log\n", "f/d": "!b.log\n" }],
  ["special characters that are meant as they stand", { "": "\\[x\\]\nd\\*/\n" }],
  ["a folder whose name has special characters", { "d*": "q\n", "back\\slash": "a\n" }],
  ["comments, spaces and line ends of Windows", { "": "# a\n\na   \nb.log\r\n" }],
  ["sets and question marks", { "": "[ab]\n?.txt\n" }],
];

describe("the rules made of ignore files", () => {
  it.each(cases)("leave out what git does: %s", async (_, ignores) => {
    const { git, rsync } = await compare(ignores);
    expect(rsync).toEqual(git);
  });

  it("leave out what git does, whatever the lines are", { timeout: 60_000 }, async () => {
    const piece = fc.constantFrom("a", "d", "e", "f", "*", "**", "b.log", "*.log", "?", "[a-d]", "c*", "\\[x\\]");
    const line = fc
      .tuple(
        fc.constantFrom("", "", "!"),
        fc.constantFrom("", "/"),
        fc.array(piece, { minLength: 1, maxLength: 3 }),
        fc.constantFrom("", "/"),
      )
      .map(([negation, start, names, end]) => `${negation}${start}${names.join("/")}${end}`);
    const lines = fc.array(line, { maxLength: 4 }).map((all) => `${all.join("\n")}\n`);
    await fc.assert(
      fc.asyncProperty(lines, lines, async (top, deeper) => {
        const { git, rsync } = await compare({ "": top, d: deeper });
        expect(rsync).toEqual(git);
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 40) },
    );
  });

  it("have a .berthignore come after git's, and both before what is left out by default", async () => {
    const pair = await Pair.make();
    try {
      write(join(pair.host, ".gitignore"), ".env\n");
      write(join(pair.host, ".berthignore"), "!.env\n!keep/node_modules\nsecret\n");
      for (const path of [".env", "secret", "node_modules/m", "keep/node_modules/m", ".git/HEAD"])
        write(join(pair.host, path), "x");
      await pair.push();
      const names = Object.entries(await treeOf(pair.guest)).filter(([, what]) => what.startsWith("file"));
      expect(names.map(([name]) => name).sort()).toEqual([".berthignore", ".env", ".gitignore", "keep/node_modules/m"]);
      await pair.push({ filter: { excludes: ["keep"], gitignore: true, defaultExcludes: false, git: true } });
      const more = Object.keys(await treeOf(pair.guest));
      expect(more).toContain("node_modules/m");
      expect(more).toContain(".git/HEAD");
      expect(more).not.toContain("secret");
    } finally {
      await pair.dispose();
    }
  });
});
