import { type ConnectionStep, connectionSteps } from "../connection/draft.ts";

/** What a page's address names. */
export type Place =
  | { readonly page: "fleet" }
  | { readonly page: "sandbox"; readonly name: string; readonly view: SandboxView }
  | { readonly page: "cluster" }
  | { readonly page: "doctor" }
  | { readonly page: "template" }
  | { readonly page: "connection"; readonly step: ConnectionStep | undefined }
  | { readonly page: "settings" }
  | { readonly page: "unknown" };

/** What is seen of a sandbox. `pathBytes`: the base64url of a path that is not UTF-8. */
export type SandboxView =
  | { readonly view: "terminals"; readonly terminalId: string | undefined }
  | { readonly view: "files"; readonly path: string; readonly pathBytes?: string }
  | { readonly view: "changes"; readonly path: string }
  | { readonly view: "snapshots" }
  | { readonly view: "settings" };

/** Reads an address's path. */
export function placeOf(path: string): Place {
  const [first, name, ...rest] = path.split("/").filter(Boolean);
  if (first === undefined) return { page: "fleet" };
  if (first === "sandboxes" && name !== undefined) {
    const view = viewOf(rest);
    return view ? { page: "sandbox", name, view } : { page: "unknown" };
  }
  if (first === "proxmox") return connectionPlace(name, rest);
  if (name !== undefined) return { page: "unknown" };
  switch (first) {
    case "cluster":
    case "doctor":
    case "template":
    case "settings":
      return { page: first };
    default:
      return { page: "unknown" };
  }
}

function connectionPlace(name: string | undefined, rest: readonly string[]): Place {
  const step = connectionSteps.find((one) => one === name);
  if (rest.length > 0 || step !== name) return { page: "unknown" };
  return { page: "connection", step };
}

function viewOf([first, ...rest]: readonly string[]): SandboxView | undefined {
  switch (first) {
    case "files":
      return { view: "files", path: rest.map(decoded).join("/") };
    case "files-bytes":
      return rest.length === 1 && isBase64url(rest[0]) ? { view: "files", path: "", pathBytes: rest[0] } : undefined;
    case "changes":
      return { view: "changes", path: rest.map(decoded).join("/") };
    case "snapshots":
    case "settings":
      return rest.length === 0 ? { view: first } : undefined;
    default:
      return rest.length === 0 ? { view: "terminals", terminalId: first } : undefined;
  }
}

function isBase64url(part: string | undefined): part is string {
  return part !== undefined && /^[A-Za-z0-9_-]+$/.test(part) && part.length % 4 !== 1;
}

/** An address that somebody typed need not be well encoded. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/");

export const fleetPath = "/";
export const clusterPath = "/cluster";
export const doctorPath = "/doctor";
export const templatePath = "/template";
export const settingsPath = "/settings";

/** The address of the connection to Proxmox, or of a step of setting one up. */
export function connectionPath(step?: ConnectionStep): string {
  return step === undefined ? "/proxmox" : `/proxmox/${step}`;
}

/** The address of a sandbox, or of one of its terminals. */
export function sandboxPath(name: string, terminalId?: string): string {
  return terminalId === undefined ? `/sandboxes/${name}` : `/sandboxes/${name}/${terminalId}`;
}

/** The address of a sandbox's files, or of one of them. */
export function filesPath(name: string, file: { path: string; pathBytes?: string | undefined } = { path: "" }): string {
  if (file.pathBytes !== undefined) return `/sandboxes/${name}/files-bytes/${file.pathBytes}`;
  return file.path === "" ? `/sandboxes/${name}/files` : `/sandboxes/${name}/files/${encoded(file.path)}`;
}

/** The address of the changes in a sandbox's repository, which is that of the workspace unless it is named. */
export function changesPath(name: string, repository = ""): string {
  return repository === "" ? `/sandboxes/${name}/changes` : `/sandboxes/${name}/changes/${encoded(repository)}`;
}

/** The address of a sandbox's snapshots. */
export function snapshotsPath(name: string): string {
  return `/sandboxes/${name}/snapshots`;
}

/** The address of a sandbox's own settings. */
export function sandboxSettingsPath(name: string): string {
  return `/sandboxes/${name}/settings`;
}

/** The address of what is seen of a sandbox. */
export function viewPath(name: string, view: SandboxView): string {
  switch (view.view) {
    case "terminals":
      return sandboxPath(name, view.terminalId);
    case "files":
      return filesPath(name, view);
    case "changes":
      return changesPath(name, view.path);
    case "snapshots":
      return snapshotsPath(name);
    case "settings":
      return sandboxSettingsPath(name);
  }
}
