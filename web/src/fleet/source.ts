import { branchNameSchema, gitUrlSchema, hostFolderSchema, type Workspace } from "@berth/protocol";
import { Value } from "typebox/value";
import type { ShownFailure } from "../api/describe-error.ts";

/** What a new workspace is made from: of what was typed for the others, each keeps its own. */
export interface Source {
  readonly kind: "empty" | "git" | "folder" | "project";
  /** Of a git remote. */
  readonly url: string;
  /** Of a project: its remote. */
  readonly project: string;
  /** Where the sandbox's branch begins; empty: at the remote's default. */
  readonly branch: string;
  /** Of a folder on the controller's host. */
  readonly path: string;
}

/** A field of a source that is typed or chosen. */
export type SourceField = Exclude<keyof Source, "kind">;
/** What is wrong with which field. */
export type SourceFaults = Partial<Record<SourceField, string>>;

export const emptySource: Source = { kind: "empty", url: "", project: "", branch: "", path: "" };

/** A source as the request says it; undefined: the workspace begins empty. */
export function workspaceOf({ kind, url, project, branch, path }: Source): Workspace | undefined {
  if (kind === "empty") return undefined;
  if (kind === "folder") return { type: "folder", path };
  return { type: "git", url: kind === "git" ? url : project, ...(branch === "" ? {} : { branch }) };
}

/** What is wrong with what was typed, as far as that can be told here; what is missing is not wrong yet. */
export function wrongSource({ kind, url, branch, path }: Source): SourceFaults {
  if (kind === "empty") return {};
  if (kind === "folder") {
    return path === "" || Value.Check(hostFolderSchema, path)
      ? {}
      : { path: "The whole path of a folder: it begins with /." };
  }
  return {
    ...(kind === "project" || url === "" || Value.Check(gitUrlSchema, url)
      ? {}
      : { url: "An address has no spaces, and does not begin with a hyphen." }),
    ...(branch === "" || Value.Check(branchNameSchema, branch) ? {} : { branch: "This is no name of a branch." }),
  };
}

/** What a sandbox of this source is called by itself: the repository, or the folder. Undefined: it says no name. */
export function nameOfSource(source: Source): string | undefined {
  const workspace = workspaceOf(source);
  if (!workspace || workspace.type === "empty") return undefined;
  const place = workspace.type === "git" ? workspace.url : workspace.path;
  return place
    .replace(/[/\s]+$/, "")
    .replace(/\.git$/i, "")
    .split(/[/:]/)
    .at(-1);
}

/** Which field the controller's refusal is about; undefined: none of these. */
export function fieldOfRefusal(
  { code, fields }: ShownFailure,
  { kind, url, project }: Source,
): SourceField | undefined {
  if (kind === "empty") return undefined;
  const place = kind === "git" ? "url" : kind === "folder" ? "path" : "project";
  const named = Object.keys(fields ?? {}).map((field) => field.split(".").at(-1));
  if (named.includes("branch") && kind !== "folder") return "branch";
  if (named.some((field) => field === "url" || field === "path" || field === "workspace")) return place;
  const onHost = kind === "folder" || /^(?:\/|file:)/i.test(kind === "git" ? url : project);
  return onHost && (code === "forbidden" || code === "not_found") ? place : undefined;
}
