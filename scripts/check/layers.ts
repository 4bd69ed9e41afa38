import { posix } from "node:path";
import type { ModuleFacts } from "./module-facts.ts";

/** An import, or a read of the environment, that the architecture forbids. */
export interface LayerViolation {
  readonly path: string;
  readonly message: string;
}

/** Folder → the folders below it that its sources may import. Imports point down, never up or sideways. */
const below: Readonly<Record<string, readonly string[]>> = {
  "packages/base": [],
  "packages/protocol": ["packages/base"],
  "packages/sync": ["packages/base"],
  "packages/proxmox": ["packages/base"],
  template: ["packages/protocol", "packages/base"],
  "packages/pve-emulator": ["template", "packages/protocol", "packages/base"],
  "packages/cli": ["packages/sync", "packages/protocol", "packages/base"],
  "packages/testkit": ["packages/protocol", "packages/base"],
  web: ["packages/protocol", "packages/base"],
  agent: ["packages/protocol", "packages/base"],
  controller: ["packages/proxmox", "packages/sync", "packages/protocol", "packages/base"],
};

/** What one part of a folder may import beyond that. */
const exceptions: readonly { readonly from: string; readonly to: string }[] = [
  // The bundled emulator is started from here and from nowhere else.
  { from: "controller/src/embedded/", to: "packages/pve-emulator" },
  // What a template is made of is known to whoever builds one: the emulator, and this folder.
  { from: "controller/src/templates/", to: "template" },
];

/** Libraries get what they need as parameters; the environment belongs to programs. */
const withoutEnvironment = [
  "packages/base",
  "packages/protocol",
  "packages/proxmox",
  "packages/sync",
  "template",
  "web",
];

/** Every violation in the sources of the workspaces. Tests and benches may import what they want, except out of their package. */
export function layerViolations(files: readonly ModuleFacts[]): LayerViolation[] {
  const violations: LayerViolation[] = [];
  for (const file of files) {
    const owner = workspaceOf(file.path);
    if (owner === undefined) continue;
    for (const specifier of file.imports) {
      const message = refusal(owner, file.path, specifier);
      if (message !== undefined) violations.push({ path: file.path, message });
    }
  }
  return [...violations, ...environmentViolations(files)];
}

function refusal(owner: string, path: string, specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("/")) {
    const target = posix.normalize(posix.join(posix.dirname(path), specifier));
    return target.startsWith(`${owner}/`) ? undefined : `imports "${specifier}", which is outside of ${owner}`;
  }
  if (isTest(owner, path)) return undefined;
  if (owner === "web" && specifier.startsWith("node:") && path.startsWith("web/src/")) {
    return `imports "${specifier}", which a browser does not have`;
  }
  const [scope, name, ...rest] = specifier.split("/");
  if (scope !== "@berth" || name === undefined) return undefined;
  const target = Object.keys(below).find((folder) => posix.basename(folder) === name);
  if (target === undefined) return `imports "${specifier}", which has no place in the layers`;
  if (target === "packages/testkit") return `imports "${specifier}", which is for tests and benches alone`;
  const isNodeOnly = target === "packages/base" && rest.join("/") === "node";
  if (isNodeOnly && (owner === "web" || owner === "packages/protocol")) {
    return `imports "${specifier}", but runs in browsers too`;
  }
  const excepted = exceptions.some(({ from, to }) => path.startsWith(from) && target === to);
  if (below[owner]?.includes(target) || excepted) return undefined;
  return `imports "${specifier}": ${owner} is not above ${target}`;
}

function environmentViolations(files: readonly ModuleFacts[]): LayerViolation[] {
  const violations: LayerViolation[] = [];
  const readers = new Map<string, string>();
  for (const { path, readsEnvironment } of files) {
    const owner = workspaceOf(path);
    if (!readsEnvironment || owner === undefined || owner === "packages/testkit" || isTest(owner, path)) continue;
    if (withoutEnvironment.includes(owner)) {
      violations.push({ path, message: `reads process.env, which ${owner} gets no settings from` });
      continue;
    }
    const program = programOf(path, owner, files);
    const first = readers.get(program);
    if (first === undefined) readers.set(program, path);
    else violations.push({ path, message: `reads process.env, as ${first} does: one file of ${program} may` });
  }
  return violations;
}

/** The nearest folder around a file that has a `main.ts`; the workspace's sources if there is none. */
function programOf(path: string, owner: string, files: readonly ModuleFacts[]): string {
  for (let folder = posix.dirname(path); folder.startsWith(`${owner}/`); folder = posix.dirname(folder)) {
    if (files.some((file) => file.path === `${folder}/main.ts`)) return folder;
  }
  return owner;
}

function workspaceOf(path: string): string | undefined {
  return Object.keys(below).find((folder) => path.startsWith(`${folder}/`));
}

/** Configuration beside the sources, such as `vite.config.ts`, is as free as tests. */
function isTest(owner: string, path: string): boolean {
  return !path.startsWith(`${owner}/src/`) && !(owner === "template" && !/^template\/(test|bench)\//.test(path));
}
