import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Payload } from "../../src/index.ts";
import { programFiles } from "../../src/payload/program-files.ts";

/** A payload with all kinds of things in it and hardly a byte, below this folder. */
export async function smallPayload(folder: string): Promise<Payload> {
  const programs = join(folder, "programs");
  const module = join(folder, "module");
  const npm = join(folder, "npm");
  // A path whose name does not fit into one field of an archive's header.
  const deep = join(npm, "node_modules", "a".repeat(40), "node_modules", "b".repeat(40));
  for (const path of [programs, join(module, "build/Release"), deep, join(npm, "bin"), join(npm, "docs")]) {
    await mkdir(path, { recursive: true });
  }
  for (const file of programFiles) await writeFile(join(programs, file), `${file}\n`);
  await writeFile(join(module, "package.json"), "{}");
  // Exactly one block, and one byte more.
  await writeFile(join(module, "build/Release/one.node"), Buffer.alloc(512, 1));
  await writeFile(join(module, "build/Release/two.node"), Buffer.alloc(513, 2));
  await writeFile(join(deep, "index.js"), "");
  await writeFile(join(npm, "docs/manual.md"), "not for a sandbox");
  for (const name of ["npm", "npx"]) await writeFile(join(npm, `bin/${name}-cli.js`), "", { mode: 0o755 });
  for (const name of ["node", "claude"]) await writeFile(join(folder, name), `the ${name}`, { mode: 0o700 });
  return {
    programs,
    modules: { "node-pty": module },
    node: join(folder, "node"),
    npm,
    claude: join(folder, "claude"),
    version: "0123456789abcdef",
  };
}
