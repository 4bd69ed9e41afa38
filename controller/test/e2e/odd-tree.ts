import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, open, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How many small files there are below `many`: so many folders of so many each. */
export const many = { folders: 500, filesOfEach: 100 } as const;

/** Names that some program on the way may take for something else, as bytes; none has a line's end in it. */
const oddNames = [
  "with space",
  " ",
  "-rf",
  "--delete",
  "-oProxyCommand=touch x",
  "quo'te\"s",
  "back\\slash",
  "back\\#012slash",
  "$(touch x)",
  "`touch x`",
  "%n",
  "~",
  "a:b",
  "*?[a]",
  "tab\tand\rreturn",
  "ü",
  Buffer.from([0xff, 0xfe, 0x0d, 0x80]),
  Buffer.alloc(255, "n"),
].map((name) => Buffer.from(name));
const namesOfLines = ["new\nline", "\n", "ends with\n"].map((name) => Buffer.from(name));

/**
 * Makes `names`, `lines`, `modes`, `links`, and `bulk`: in that are `sparse`, of 48 MiB that are holes but for a few bytes, and
 * `large`, of 16 MiB that nothing makes smaller.
 */
export async function makeOddTree(root: string): Promise<void> {
  for (const folder of ["names", "lines", "modes", "links"]) await mkdir(join(root, folder), { recursive: true });
  for (const [folder, names] of [
    ["names", oddNames],
    ["lines", namesOfLines],
  ] as const) {
    const at = Buffer.from(join(root, folder, "/"));
    for (const name of names) await writeFile(Buffer.concat([at, name]), `contents of ${name}`);
    const within = Buffer.concat([at, Buffer.from(folder === "lines" ? "folder\n/" : "-folder \xff/", "latin1")]);
    await mkdir(within);
    for (const name of names) await writeFile(Buffer.concat([within, name]), `within, ${name}`);
  }
  await mkdir(join(root, "names/empty"));
  for (const mode of [0o600, 0o755, 0o444, 0o640, 0o700]) {
    const path = join(root, "modes", mode.toString(8));
    await writeFile(path, "m");
    await chmod(path, mode);
  }
  await mkdir(join(root, "modes/folder"));
  await chmod(join(root, "modes/folder"), 0o750);
  await writeFile(join(root, "modes/folder/kept"), "of a folder of its own mode");
  for (const [name, target] of [
    ["to a file", "../names/with space"],
    ["to a folder", "../names"],
    ["to nothing", "nowhere\nat all"],
    ["-to an option", "--delete"],
  ] as const)
    await symlink(target, join(root, "links", name));
  await makeBulk(root);
}

async function makeBulk(root: string): Promise<void> {
  await mkdir(join(root, "bulk"));
  const sparse = join(root, "bulk/sparse");
  await writeFile(sparse, "begin");
  await truncate(sparse, 48 * 1024 * 1024);
  const file = await open(sparse, "r+");
  try {
    await file.write("middle", 32 * 1024 * 1024);
  } finally {
    await file.close();
  }
  await writeFile(join(root, "bulk/large"), randomBytes(16 * 1024 * 1024));
}

/** Makes `many`: 50,000 small files, each of contents of its own. */
export async function makeMany(root: string): Promise<void> {
  for (let folder = 0; folder < many.folders; folder += 1) {
    const path = join(root, "many", String(folder));
    await mkdir(path, { recursive: true });
    await Promise.all(
      Array.from({ length: many.filesOfEach }, (_, file) => writeFile(join(path, String(file)), `${folder}/${file}`)),
    );
  }
}

/**
 * All that is below a folder but Berth's and git's own: a line for the kind, mode, target and name of each (as latin1), and
 * one for the hash of each file, in the order of their bytes. `asGit` has only what git keeps: no folders, and of modes
 * whether it is a program.
 */
export async function listingOf(root: string, { asGit = false } = {}): Promise<string[]> {
  const options = { cwd: root, encoding: "latin1", maxBuffer: 1e9 } as const;
  const own = [".berth", ".git"].flatMap((name) => ["-path", `./${name}`, "-prune", "-o"]);
  const printed = await run("find", [".", "-mindepth", "1", ...own, "-printf", "%y %m %l %p\\0"], options);
  const hashing = 'find . "$@" -type f -print0 | xargs -0r sha256sum -z';
  const hashed = await run("sh", ["-c", hashing, "sh", ...own], options);
  const entries = printed.stdout.split("\0").map((line) => (asGit ? gitLine(line) : line));
  return [...entries, ...hashed.stdout.split("\0")].filter((line) => line !== "").sort();
}

/** The lines of a listing but those of these folders of its root. */
export function without(folders: readonly string[], listing: readonly string[]): string[] {
  const inside = folders.map((name) => ` ./${name}/`);
  return listing.filter((line) => !inside.some((path) => line.includes(path)));
}

/** A listing in one hash: for so much that nobody would read the difference. */
export async function hashOf(root: string, options: { asGit?: boolean } = {}): Promise<string> {
  const listing = await listingOf(root, options);
  return `${listing.length} lines, ${createHash("sha256").update(listing.join("\0"), "latin1").digest("hex")}`;
}

function gitLine(line: string): string {
  if (line.startsWith("d")) return "";
  const isProgram = (mode: string) => (Number.parseInt(mode, 8) & 0o100) !== 0;
  return line.replace(/^f ([0-7]+) /, (_, mode: string) => `f ${isProgram(mode) ? "755" : "644"} `);
}
