import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { templateVersion } from "@berth/template";
import { ContentsFinder } from "../../../src/templates/contents.ts";

/** The programs that go into a template, by the files of the agent's build. */
const programs = ["launch.mjs", "agent.mjs", "pty-host.mjs", "bootstrap.sh", "version"];

/** What a world's templates are made from: an archive and programs with hardly a byte in them. */
export interface Ingredients {
  readonly contents: ContentsFinder;
  /** Path of the archive that the emulator offers for download. */
  readonly archive: string;
  /** Has the emulator, whose folder this is, forget that it has downloaded the archive. */
  forgetDownload(proxmoxDir: string): Promise<void>;
}

/** Makes them below a folder. */
export async function makeIngredients(folder: string): Promise<Ingredients> {
  const archive = join(folder, "debian.tar.zst");
  const from = join(folder, "programs");
  const node = join(folder, "node");
  await mkdir(from);
  for (const name of programs) await writeFile(join(from, name), `${name}\n`);
  await writeFile(archive, "an archive");
  await writeFile(node, "a node");
  const payload = { programs: from, modules: {}, node, npm: undefined, claude: undefined, version: "0".repeat(16) };
  return {
    archive,
    contents: new ContentsFinder(async () => ({ payload, version: templateVersion(payload) })),
    forgetDownload: async (proxmoxDir) => {
      const cache = join(proxmoxDir, "local", "template", "cache");
      await rm(cache, { recursive: true, force: true });
      await mkdir(cache);
    },
  };
}
