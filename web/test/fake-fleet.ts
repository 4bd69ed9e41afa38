import type { ServerResponse } from "node:http";
import {
  type AgentUpdate,
  BerthError,
  createSandbox,
  defaultSize,
  type Failure,
  newId,
  type Operation,
  type OperationKind,
  type OperationLog,
  operationSteps,
  type Project,
  type Sandbox,
  type SandboxState,
  sandboxSizes,
  type Template,
  type Terminal,
  type TerminalKind,
} from "@berth/protocol";
import { Value } from "typebox/value";
import { FakePty } from "./fake-pty.ts";

interface Told {
  readonly event: string;
  readonly data: unknown;
}

/** Work that leaves a sandbox what it was, also where it fails. */
const asides: ReadonlySet<OperationKind> = new Set(["change", "snapshot", "delete_snapshot", "rollback"]);

/** Sandboxes in memory; operations advance when the test says so. */
export class FakeFleet {
  readonly sandboxes = new Map<string, Sandbox>();
  readonly ptys = new Map<string, FakePty>();
  /** Sandboxes, by id, with work that is nowhere else. */
  readonly unsaved = new Set<string>();
  /** What was asked of new sandboxes, the last one last. */
  readonly wishes: unknown[] = [];
  /** Why the next sandbox is not made. */
  refusal: BerthError | undefined;
  readonly projects: Project[] = [];
  /** As a Proxmox of one's own has it once it was built. */
  template: Template = {
    vmid: 150,
    state: "ready",
    node: "pve1",
    name: "berth-template",
    error: null,
    version: "0a1b2c3d4e5f6071",
    latestVersion: "0a1b2c3d4e5f6071",
    outdated: false,
    builtAt: new Date(Date.now() - 86_400_000).toISOString(),
    skipped: [],
    build: null,
    lastBuild: null,
    templates: [],
  };
  readonly #operations = new Map<string, Operation>();
  /** What was told of each operation, for streams that come later. */
  readonly #told = new Map<string, Told[]>();
  readonly #streams = new Set<{ response: ServerResponse; operationId: string | undefined }>();
  #nextVmid = 201;

  /** Puts a sandbox there, as if it had been made before. */
  add(name: string, state: SandboxState, more: Partial<Sandbox> = {}): Sandbox {
    const now = new Date(Date.now() - this.#nextVmid * 61_000).toISOString();
    const sandbox: Sandbox = {
      id: newId("sandbox"),
      name,
      ownerId: newId("user"),
      state,
      error: null,
      ...defaultSize,
      vlan: null,
      ...{ onBoot: false, protection: false, restartNeeded: [], drift: [], forkedFrom: null, sshPort: 22 },
      node: "pve1",
      vmid: this.#nextVmid++,
      address: "10.66.0.7",
      workspace: { type: "empty" },
      envNames: [],
      agent: { connected: state === "ready", version: "0.1.0" },
      ...{ attention: null, sleepAfterMinutes: null, idle: { since: null, sleepsAt: null, uses: [] } },
      operationId: null,
      createdAt: now,
      updatedAt: now,
      ...more,
    };
    this.change(sandbox, {});
    return sandbox;
  }

  /** Changes a sandbox and tells of it. */
  change(sandbox: Sandbox, to: Partial<Sandbox>): void {
    const changed = { ...(this.sandboxes.get(sandbox.id) ?? sandbox), ...to };
    this.sandboxes.set(sandbox.id, changed);
    this.#tell({ event: "sandbox", data: changed });
  }

  /** Tells how another version of an agent fares. */
  updateAgent({ id }: Sandbox, state: AgentUpdate["state"], version: string): void {
    const data: AgentUpdate = { sandboxId: id, state, version };
    this.#tell({ event: "agent_update", data });
  }

  create(body: unknown): { sandbox: Sandbox; operation: Operation } {
    const wanted = Value.Check(createSandbox.body, body) ? body : {};
    this.wishes.push(body);
    const { refusal } = this;
    this.refusal = undefined;
    if (refusal) throw refusal;
    const name = wanted.name ?? "unnamed";
    if ([...this.sandboxes.values()].some((other) => other.name === name)) {
      throw new BerthError("name_taken", `There is a sandbox named ${name} already.`);
    }
    const { cores, memoryMiB, diskGiB } = { ...defaultSize, ...(wanted.size && sandboxSizes[wanted.size]), ...wanted };
    const createdAt = new Date().toISOString();
    const fresh = { cores, memoryMiB, diskGiB, createdAt, node: null, vmid: null, address: null };
    const sandbox = this.add(name, "provisioning", fresh);
    const operation = this.#begin(sandbox, "create");
    return { sandbox: this.sandbox(sandbox.id), operation };
  }

  destroy(id: string, discard = false): { operation: Operation } {
    const sandbox = this.sandbox(id);
    if (this.unsaved.has(sandbox.id) && !discard) {
      const hint = "Push it, or delete the sandbox with discard=true; a copy is kept for a while.";
      throw new BerthError("unsaved_work", `The sandbox "${sandbox.name}" has 2 unpushed commits.`, { hint });
    }
    const operation = this.#begin(sandbox, "destroy");
    this.change(sandbox, { state: "destroying" });
    return { operation };
  }

  power(id: string, verb: "start" | "stop" | "restart" | "sleep" | "wake"): { operation: Operation } {
    const sandbox = this.sandbox(id);
    const operation = this.#begin(sandbox, verb);
    this.change(sandbox, { state: verb === "stop" || verb === "sleep" ? "stopping" : "starting" });
    return { operation };
  }

  /** Takes the template away, as on a Proxmox that Berth has never been on. */
  loseTemplate(): void {
    const message = "There is no template 150 that the token may see.";
    const error = { code: "template_unusable", message, hint: "Build one." };
    this.template = { ...this.template, state: "missing", node: null, name: null, error, version: null, builtAt: null };
  }

  /** Begins work on a sandbox that is there. */
  begin(sandbox: Sandbox, kind: OperationKind): Operation {
    return this.#begin(sandbox, kind);
  }

  /** Tells whoever listens to the fleet. */
  tell(event: string, data: unknown): void {
    this.#tell({ event, data });
  }

  build(): { operation: Operation } {
    const operation = this.#begin(undefined, "template_build");
    this.template = { ...this.template, build: operation.id };
    return { operation };
  }

  cancel(id: string): Operation {
    const operation = this.operation(id);
    this.#end(operation, "cancelled", null);
    return operation;
  }

  /** The running step says something. */
  log(operation: Operation, text: string): void {
    const step = this.operation(operation.id).steps.find(({ state }) => state === "running");
    const line: OperationLog = { step: step?.name ?? "", source: "proxmox", text, at: new Date().toISOString() };
    this.#tellOf(operation.id, "log", line);
  }

  /** The running step ends and the next one begins; after the last one the operation is done. */
  advance(operation: Operation, failure?: Failure): void {
    const current = this.operation(operation.id);
    const now = new Date().toISOString();
    const running = current.steps.find(({ state }) => state === "running");
    if (running) {
      Object.assign(running, { state: failure ? "failed" : "succeeded", finishedAt: now });
      this.#tellOf(current.id, "step", running);
    }
    const next = failure ? undefined : current.steps.find(({ state }) => state === "pending");
    if (next) {
      Object.assign(next, { state: "running", startedAt: now, progress: next.name === "clone" ? 0.4 : null });
      this.#tellOf(current.id, "step", next);
    } else this.#finish(current, failure ?? null);
    this.#tell({ event: "operation", data: current });
  }

  finish(operation: Operation): void {
    while (this.operation(operation.id).state === "running") this.advance(operation);
  }

  operation(id: string): Operation {
    const found = this.#operations.get(id);
    if (!found) throw new BerthError("not_found", "There is no such operation.");
    return found;
  }

  /** The work on a sandbox that was begun last. */
  operationOn(sandboxName: string): Operation | undefined {
    return [...this.#operations.values()].filter((operation) => operation.sandboxName === sandboxName).at(-1);
  }

  openTerminal(sandboxId: string, kind: TerminalKind): Terminal {
    const pty = new FakePty(sandboxId, kind, () => this.#tell({ event: "terminal", data: pty.terminal }));
    this.ptys.set(pty.terminal.id, pty);
    this.#tell({ event: "terminal", data: pty.terminal });
    return pty.terminal;
  }

  closeTerminal(id: string): void {
    this.terminal(id);
    this.ptys.delete(id);
    this.#tell({ event: "deleted", data: { kind: "terminal", id } });
  }

  terminal(id: string): Terminal {
    const pty = this.ptys.get(id);
    if (!pty) throw new BerthError("not_found", "There is no such terminal.");
    return pty.terminal;
  }

  terminalsOf(sandboxId: string): Terminal[] {
    return [...this.ptys.values()].map(({ terminal }) => terminal).filter((each) => each.sandboxId === sandboxId);
  }

  /** Serves a stream of events: of one operation from its beginning, or of the fleet from now on. */
  stream(response: ServerResponse, operationId: string | undefined): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write("retry: 300\n\n");
    for (const told of operationId === undefined ? [] : (this.#told.get(operationId) ?? [])) send(response, told);
    const stream = { response, operationId };
    this.#streams.add(stream);
    response.on("close", () => this.#streams.delete(stream));
  }

  endStreams(): void {
    for (const { response } of this.#streams) response.destroy();
  }

  #begin(sandbox: Sandbox | undefined, kind: OperationKind): Operation {
    const idle = { state: "pending", progress: null, detail: null, startedAt: null, finishedAt: null } as const;
    const operation: Operation = {
      id: newId("operation"),
      kind,
      sandboxId: sandbox?.id ?? null,
      sandboxName: sandbox?.name ?? null,
      state: "running",
      steps: operationSteps[kind].map((name) => ({ name, ...idle })),
      error: null,
      result: null,
      createdAt: new Date().toISOString(),
      finishedAt: null,
    };
    this.#operations.set(operation.id, operation);
    if (sandbox) this.change(sandbox, { operationId: operation.id });
    this.advance(operation);
    return operation;
  }

  #finish(operation: Operation, error: Failure | null): void {
    if (operation.sandboxId !== null) this.#changeAtEnd(this.sandbox(operation.sandboxId), operation.kind, error);
    else if (!error) {
      const { latestVersion: version } = this.template;
      const at = { state: "ready", vmid: 151, node: "pve1", error: null, outdated: false } as const;
      this.template = { ...this.template, ...at, version, builtAt: new Date().toISOString() };
    }
    this.#end(operation, error ? "failed" : "succeeded", error);
  }

  #changeAtEnd(sandbox: Sandbox, kind: OperationKind, error: Failure | null): void {
    if (kind === "destroy" && !error) {
      this.sandboxes.delete(sandbox.id);
      this.#tell({ event: "deleted", data: { kind: "sandbox", id: sandbox.id } });
    } else if (asides.has(kind)) this.change(sandbox, { operationId: null });
    else if (error) this.change(sandbox, { state: "failed", error, operationId: null });
    else if (kind === "stop") this.#settle(sandbox, "stopped");
    else this.#settle(sandbox, "ready");
  }

  #end(operation: Operation, state: Operation["state"], error: Failure | null): void {
    Object.assign(operation, { state, error, finishedAt: new Date().toISOString() });
    if (operation.kind === "template_build") this.template = { ...this.template, build: null, lastBuild: operation.id };
    this.#tell({ event: "operation", data: operation });
    this.#tellOf(operation.id, "done", operation);
  }

  #settle(sandbox: Sandbox, state: "ready" | "stopped"): void {
    const agent = { connected: state === "ready", version: "0.1.0" };
    const place = { node: "pve1", vmid: sandbox.vmid ?? this.#nextVmid++, address: "10.66.0.9" };
    this.change(sandbox, { state, error: null, operationId: null, agent, ...place });
  }

  /** By id or name; throws `not_found`. */
  sandbox(id: string): Sandbox {
    const found = this.sandboxes.get(id) ?? [...this.sandboxes.values()].find(({ name }) => name === id);
    if (!found) throw new BerthError("not_found", "There is no such sandbox.");
    return found;
  }

  #tell(told: Told): void {
    for (const { response, operationId } of this.#streams) if (operationId === undefined) send(response, told);
  }

  #tellOf(operationId: string, event: string, data: unknown): void {
    const told = { event, data: structuredClone(data) };
    this.#told.set(operationId, [...(this.#told.get(operationId) ?? []), told]);
    for (const stream of this.#streams) if (stream.operationId === operationId) send(stream.response, told);
  }
}

function send(response: ServerResponse, { event, data }: Told): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
