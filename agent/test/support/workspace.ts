import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Multiplexer, WorkspaceMethodName, WorkspaceParams } from "@berth/protocol/link";
import { rgPath } from "@vscode/ripgrep";
import { afterEach, beforeEach } from "vitest";
import { Workspace } from "../../src/agent/workspace/workspace.ts";
import { createLog } from "../../src/log.ts";
import { loopback } from "./loopback.ts";
import { temporaryRoot } from "./pty-host.ts";
import * as calls from "./workspace-call.ts";

/** A workspace that is served over a link in this process. */
interface ServedWorkspace {
  path: string;
  /** The folder around it: what must not be reached. */
  outside: string;
  /** The controller's end. */
  link: Multiplexer;
  /** The environment of git and ripgrep. */
  environment: Record<string, string>;
  dispose(): void;
}

/** Serves each test of a file a workspace of its own, and takes it away after the test. */
export function workspaceOfEachTest(): WorkspaceOfTest {
  const workspace = new WorkspaceOfTest();
  beforeEach(() => workspace.serve());
  afterEach(() => workspace.dispose());
  return workspace;
}

/** The workspace of the test that runs, and the calls about it. */
class WorkspaceOfTest {
  #served: ServedWorkspace | undefined;

  get #now(): ServedWorkspace {
    if (!this.#served) throw new Error("no test runs");
    return this.#served;
  }

  get path(): string {
    return this.#now.path;
  }

  get outside(): string {
    return this.#now.outside;
  }

  get environment(): Record<string, string> {
    return this.#now.environment;
  }

  serve(): void {
    this.#served = serveWorkspace();
  }

  dispose(): void {
    this.#served?.dispose();
    this.#served = undefined;
  }

  /** A path in it. */
  readonly at = (path: string): string => join(this.path, path);

  /** Begins a call. */
  readonly begin = (name: string, params: unknown): calls.WorkspaceCall =>
    new calls.WorkspaceCall(this.#now.link, name, params);

  /** Does a call, which must succeed. */
  readonly done = <M extends WorkspaceMethodName>(call: M, params: WorkspaceParams<M>, input?: Uint8Array) =>
    calls.done(this.#now.link, call, params, input);

  /** Does a call, which must be refused; answers the code. */
  readonly refused = <M extends WorkspaceMethodName>(call: M, params: WorkspaceParams<M>, input?: Uint8Array) =>
    calls.refused(this.#now.link, call, params, input);
}

function serveWorkspace(): ServedWorkspace {
  const root = temporaryRoot();
  const path = join(root.path, "workspace");
  mkdirSync(path);
  mkdirSync(join(root.path, "home"));
  // ripgrep as the template has it.
  const environment = { HOME: join(root.path, "home"), PATH: `${dirname(rgPath)}:/usr/bin:/bin`, LC_ALL: "C.UTF-8" };
  const log = createLog("test", (line) => process.stderr.write(line));
  const served = new Workspace({ path, environment: () => environment, log });
  const link = loopback((channel, _kind, params) => served.open(channel, params));
  const dispose = () => {
    link.close();
    root.remove();
  };
  return { path, outside: root.path, link: link.dialler, environment, dispose };
}
