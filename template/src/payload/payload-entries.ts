import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { guestPaths } from "@berth/protocol";
import type { Payload } from "../payload.ts";
import { type Entry, inOrder, link } from "./entry.ts";
import { moduleParts } from "./native-modules.ts";
import { templatePaths } from "./paths.ts";
import { programFiles, updatedFiles } from "./program-files.ts";
import { systemFiles } from "./system-files.ts";

/**
 * Everything of Berth's own in a container of a template: the one list that the archive and `layOut` work off. Reads the
 * folders that it copies from.
 */
export async function payloadEntries(payload: Payload): Promise<readonly Entry[]> {
  return inOrder([...systemFiles(), ...(await programEntries(payload))]);
}

async function programEntries(payload: Payload): Promise<readonly Entry[]> {
  const entries: Entry[] = [program(payload.node, templatePaths.node), link("usr/bin/node", `/${templatePaths.node}`)];
  if (payload.claude !== undefined) entries.push(program(payload.claude, templatePaths.claude));
  for (const file of programFiles) {
    entries.push(data(join(payload.programs, file), `${guestPaths.programs}/${file}`));
  }
  entries.push(...(await moduleEntries(payload, `${guestPaths.programs}/`)));
  if (payload.npm !== undefined) entries.push(...(await npmEntries(payload.npm)));
  return entries;
}

async function moduleEntries(payload: Payload, prefix: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const [name, folder] of Object.entries(payload.modules)) {
    const target = `${prefix}node_modules/${name}`;
    for (const part of await moduleParts(folder))
      entries.push(...(await tree(join(folder, part), `${target}/${part}`)));
  }
  return entries;
}

/** What an update brings to a container that is there already: the programs that it replaces, in a folder of their own. */
export async function updateEntries(payload: Payload): Promise<readonly Entry[]> {
  const programs = updatedFiles.map((file) => data(join(payload.programs, file), file));
  return inOrder([...programs, ...(await moduleEntries(payload, ""))]);
}

/** Parts of npm's package that only tell about it. */
const npmWithout = new Set(["docs", "man", "README.md"]);

async function npmEntries(folder: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const part of await readdir(folder)) {
    if (!npmWithout.has(part)) entries.push(...(await tree(join(folder, part), `${templatePaths.npm}/${part}`)));
  }
  for (const command of ["npm", "npx"]) {
    entries.push(link(`usr/bin/${command}`, `/${templatePaths.npm}/bin/${command}-cli.js`));
  }
  return entries;
}

/** A file, or all files of a folder. Links are followed, but for those of commands: nothing calls them by path. */
async function tree(from: string, path: string): Promise<readonly Entry[]> {
  const facts = await stat(from);
  if (!facts.isDirectory()) return [(facts.mode & 0o111) === 0 ? data(from, path) : program(from, path)];
  const names = (await readdir(from)).filter((name) => name !== ".bin");
  return (await Promise.all(names.map((name) => tree(join(from, name), `${path}/${name}`)))).flat();
}

function program(from: string, path: string): Entry {
  return { kind: "copy", path, mode: 0o755, owner: "root", from };
}

function data(from: string, path: string): Entry {
  return { kind: "copy", path, mode: 0o644, owner: "root", from };
}
