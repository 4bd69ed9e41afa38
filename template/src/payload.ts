import { createHash } from "node:crypto";
import { chmod, cp, mkdir, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrno } from "@berth/base/node";
import { guestPaths } from "@berth/protocol";
import { bashrc } from "./bashrc.ts";
import { units } from "./units.ts";

/** The agent's bundles, each one file. */
const bundles = ["agent.mjs", "pty-host.mjs", "bootstrap.mjs"] as const;

/** What the bundles leave outside, with what that loads in turn. */
const nativeModules = ["node-pty", "bufferutil", "node-gyp-build"] as const;

/** Everything of Berth's own that goes into a container. */
export interface Payload {
  /** Folder of the agent's bundles. */
  readonly programs: string;
  /** Native modules that the bundles load at run time: name to the folder of the package. */
  readonly modules: Readonly<Record<string, string>>;
  /** The Node executable. */
  readonly node: string;
  /** The Claude executable; undefined where its package has none for this platform. */
  readonly claude: string | undefined;
  /** Changes whenever anything above does. */
  readonly version: string;
}

/** Where a payload is taken from; everything has a default. */
export interface PayloadSources {
  /** Folder of the agent's bundles. */
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
  const modules = modulesFrom(require, sources.programs === undefined ? nativeModules : []);
  const node = sources.node ?? process.execPath;
  const claude = await findClaude();
  const hash = createHash("sha256").update(JSON.stringify([units, bashrc, modules, node, claude]));
  for (const bundle of bundles) hash.update(await readBundle(join(programs, bundle)));
  for (const path of Object.values(modules)) hash.update(await readFile(join(path, "package.json")));
  return { programs, modules, node, claude, version: hash.digest("hex").slice(0, 16) };
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

async function readBundle(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (!isErrno(cause, "ENOENT")) throw cause;
    throw new PayloadMissing(`the agent is not built (there is no ${path}): run \`npm run build -w @berth/agent\``);
  }
}

function modulesFrom(require: NodeJS.Require, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    try {
      found[name] = join(require.resolve(`${name}/package.json`), "..");
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

/** Lays the payload out below a container's root, for a user of this name. */
export async function assemblePayload(root: string, payload: Payload, user: string): Promise<void> {
  const programs = join(root, guestPaths.programs);
  const home = join(root, "home", user);
  const folders = [programs, home, join(root, "usr/bin"), join(root, guestPaths.workspace), join(root, "etc")];
  for (const folder of folders) await mkdir(folder, { recursive: true });
  for (const bundle of bundles) await cp(join(payload.programs, bundle), join(programs, bundle));
  for (const [name, path] of Object.entries(payload.modules)) {
    await copyModule(path, join(programs, "node_modules", name));
  }
  await symlink(payload.node, join(root, "usr/bin/node"));
  if (payload.claude !== undefined) await symlink(payload.claude, join(root, "usr/bin/claude"));
  await writeFile(join(home, ".bashrc"), bashrc);
  await writeFile(join(home, ".profile"), '[ -n "$BASH_VERSION" ] && . "$HOME/.bashrc"\n');
}

const entryFiles = ["index.js", "fallback.js", "node-gyp-build.js"];

/** Copies what a module needs at run time on this platform: its JavaScript, and native code built or brought along. */
async function copyModule(from: string, to: string): Promise<void> {
  const platform = `${process.platform}-${process.arch}`;
  await mkdir(to, { recursive: true });
  for (const part of ["package.json", "lib", ...entryFiles, "build/Release", `prebuilds/${platform}`]) {
    if (await exists(join(from, part)))
      await cp(join(from, part), join(to, part), { recursive: true, dereference: true });
  }
  const helper = join(to, "prebuilds", platform, "spawn-helper");
  if (await exists(helper)) await chmod(helper, 0o755);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
