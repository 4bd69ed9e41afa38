import {
  CallFailure,
  type Channel,
  type WorkspaceMethodName,
  type WorkspaceParams,
  workspaceLimits,
  workspaceMethods,
  workspaceRequestSchema,
} from "@berth/protocol/link";
import { Value } from "typebox/value";
import { errorText, type Log } from "../../log.ts";
import { NotAFolder } from "../files/folder.ts";
import { Job } from "./job.ts";

/** One function for each call; what it throws is the answer. */
export type WorkspaceHandlers = {
  [M in WorkspaceMethodName]: (job: Job, params: WorkspaceParams<M>) => Promise<void>;
};

/** Serves the controller's calls about the workspace, each over a channel of its own. */
export class WorkspaceCalls {
  readonly #handlers: WorkspaceHandlers;
  readonly #log: Log;
  #open = 0;

  constructor(handlers: WorkspaceHandlers, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
  }

  /** Serves a channel of `workspaceChannelKind`. */
  open(channel: Channel, request: unknown): void {
    if (!Value.Check(workspaceRequestSchema, request) || !isMethod(request.call)) {
      channel.close({ code: "unknown_method", detail: "there is no such call" });
    } else if (!Value.Check(workspaceMethods[request.call].params, request.params)) {
      channel.close({ code: "invalid_request", detail: `the parameters of ${request.call} are not valid` });
    } else if (this.#open >= workspaceLimits.calls + workspaceLimits.watches) {
      channel.close({ code: "limit_exceeded", detail: "the sandbox does as much at a time as it may" });
    } else {
      const { call, params } = request;
      // The check above is the one of this very call's schema.
      const handler = this.#handlers[call] as (job: Job, params: unknown) => Promise<void>;
      void this.#serve(channel, call, (job) => handler(job, params));
    }
  }

  async #serve(channel: Channel, call: WorkspaceMethodName, work: (job: Job) => Promise<void>): Promise<void> {
    const job = new Job(channel);
    this.#open += 1;
    try {
      await work(job);
      await job.flush();
      channel.close();
    } catch (error) {
      const reason = refusal(error);
      if (reason.code === "internal") this.#log.error("a call failed", { call, reason: errorText(error) });
      channel.close(reason);
    } finally {
      this.#open -= 1;
    }
  }
}

function isMethod(name: string): name is WorkspaceMethodName {
  return Object.hasOwn(workspaceMethods, name);
}

/** Why a call is not done, for the controller and in the end for people. */
function refusal(error: unknown): { code: string; detail: string } {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof CallFailure) return { code, detail: error.message };
  if (error instanceof NotAFolder) return { code: "not_a_folder", detail: error.message };
  const refused = refusals.get(code);
  if (refused) return { code: refused[0], detail: `${refused[1]} (${code})` };
  return { code: "internal", detail: errorText(error) };
}

/** What the system's refusals mean here. */
const refusals: ReadonlyMap<string, readonly [code: string, detail: string]> = new Map([
  ["ENOENT", ["not_found", "there is nothing of that name"]],
  ["ENOTDIR", ["not_a_folder", "a part of the path is no folder"]],
  ["ELOOP", ["not_a_folder", "a part of the path is a link"]],
  ["EEXIST", ["exists", "there is something of that name"]],
  ["ENOTEMPTY", ["conflict", "the folder is not empty"]],
  ["EISDIR", ["conflict", "there is a folder of that name"]],
  ["EXDEV", ["conflict", "it lies on another file system"]],
  ["EINVAL", ["conflict", "a folder cannot become a part of itself"]],
  ["EBUSY", ["conflict", "it is in use"]],
  ["ETXTBSY", ["conflict", "it is being run"]],
  ["EACCES", ["forbidden", "the sandbox's user may not do that"]],
  ["EPERM", ["forbidden", "the sandbox's user may not do that"]],
  ["EROFS", ["forbidden", "the file system is read-only"]],
  ["ENAMETOOLONG", ["invalid_request", "the name is too long"]],
  ["ENOSPC", ["insufficient_storage", "the disk is full"]],
  ["EDQUOT", ["insufficient_storage", "the disk's quota is used up"]],
  ["EMFILE", ["limit_exceeded", "too many files are open"]],
]);
