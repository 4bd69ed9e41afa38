import { createHash } from "node:crypto";
import { cp, mkdir, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrno } from "@berth/base/node";
import { guestPaths } from "@berth/protocol";
import { moduleParts, nativeModules } from "./payload/native-modules.ts";
import { programFiles } from "./payload/program-files.ts";
import { bashrc, profile } from "./payload/shell-files.ts";
import { systemFiles } from "./payload/system-files.ts";

/** Everything of Berth's own that goes into a container. */
export interface Payload {
  /** Folder of the agent's programs. */
  readonly programs: string;
  /** Native modules that the programs load at run time: name to the folder of the package. */
  readonly modules: Readonly<Record<string, string>>;
  /** The Node executable. */
  readonly node: string;
  /** Folder of npm's package; undefined where it is not installed. */
  readonly npm: string | undefined;
  /** The Claude executable; undefined where its package has none for this platform. */
  readonly claude: string | undefined;
  /** Changes whenever what is in the container does, and not when it merely lies elsewhere on this machine. */
  readonly version: string;
}

/** Where a payload is taken from; everything has a default. */
export interface PayloadSources {
  /** Folder of the agent's programs. */
  readonly programs?: string;
  /** The Node executable. */
  readonly node?: string;
}

/** Says which command makes what is missing. */
export class PayloadMissing extends Error {}

/** Finds the payload. Throws `PayloadMissing` when the agent was not built. */
export async function findPayload(sources: PayloadSources = {}): Promise<Payload> {
  const programs = sources.programs ?? (await findAgent());
  const require = createRequire(import.meta.url);
  const modules = packageFolders(require, sources.programs === undefined ? nativeModules : []);
  const parts = {
    programs,
    modules,
    node: await realpath(sources.node ?? process.execPath),
    npm: packageFolders(require, ["npm"]).npm,
    claude: await findClaude(),
  };
  return { ...parts, version: await versionOf(parts) };
}

async function versionOf(parts: Omit<Payload, "version">): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(systemFiles()));
  for (const file of programFiles) hash.update(await readProgram(join(parts.programs, file)));
  const packages = [...Object.values(parts.modules), ...(parts.npm === undefined ? [] : [parts.npm])];
  for (const path of packages) hash.update(await readFile(join(path, "package.json")));
  // Half a gigabyte is not read for this: another release has another size.
  for (const path of [parts.node, ...(parts.claude === undefined ? [] : [parts.claude])]) {
    hash.update(`${(await stat(path)).size}\n`);
  }
  if (parts.claude !== undefined) hash.update(await readFile(join(dirname(parts.claude), "package.json")));
  if (parts.node === (await realpath(process.execPath))) hash.update(process.version);
  return hash.digest("hex").slice(0, 16);
}

/** The agent's build output, from here or from a bundle that this file went into. */
async function findAgent(): Promise<string> {
  const here = fileURLToPath(new URL(".", import.meta.url));
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "agent");
    if (await exists(join(candidate, "package.json"))) return join(candidate, "dist");
  }
  throw new PayloadMissing(`the agent's folder is nowhere above ${here}`);
}

async function readProgram(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (!isErrno(cause, "ENOENT")) throw cause;
    throw new PayloadMissing(`the agent is not built (there is no ${path}): run \`npm run build -w @berth/agent\``);
  }
}

function packageFolders(require: NodeJS.Require, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    try {
      found[name] = dirname(require.resolve(`${name}/package.json`));
    } catch {
      // A bundle that needs it says so itself; bufferutil is only an accelerator.
    }
  }
  return found;
}

/** The pinned native Claude executable; undefined where its package has none for this platform. */
export async function findClaude(): Promise<string | undefined> {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`@anthropic-ai/claude-code-${process.platform}-${process.arch}/package.json`);
    return await realpath(join(manifest, "..", "claude"));
  } catch {
    return undefined;
  }
}

/**
 * Lays out what a container of processes has, below a folder that stands for its root: the programs of this machine are
 * linked, and nothing of a system is there. `payloadArchive` is what a real container gets.
 */
export async function assemblePayload(root: string, payload: Payload, user: string): Promise<void> {
  const programs = join(root, guestPaths.programs);
  const home = join(root, "home", user);
  const folders = [programs, home, join(root, "usr/bin"), join(root, guestPaths.workspace), join(root, "etc")];
  for (const folder of folders) await mkdir(folder, { recursive: true });
  for (const file of programFiles) await cp(join(payload.programs, file), join(programs, file));
  for (const [name, path] of Object.entries(payload.modules)) {
    const module = join(programs, "node_modules", name);
    for (const part of await moduleParts(path)) {
      await cp(join(path, part), join(module, part), { recursive: true, dereference: true });
    }
  }
  await symlink(payload.node, join(root, "usr/bin/node"));
  if (payload.claude !== undefined) await symlink(payload.claude, join(root, "usr/bin/claude"));
  await writeFile(join(home, ".bashrc"), bashrc);
  await writeFile(join(home, ".profile"), profile);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
