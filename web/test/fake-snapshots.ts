import {
  type BerthError,
  createSnapshot,
  deleteSnapshot,
  forkSandbox,
  listSnapshots,
  type Operation,
  type Route,
  rollbackSnapshot,
  type Sandbox,
  type Snapshot,
  updateSandbox,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { Answer, Call } from "./fake-controller.ts";
import type { FakeFleet } from "./fake-fleet.ts";

/** Snapshots, copies and other settings of sandboxes, in memory; the test ends what they begin. */
export class FakeSnapshots {
  /** By sandbox, the oldest first. */
  readonly taken = new Map<string, Snapshot[]>();
  /** While it is set, Proxmox cannot be asked which there are. */
  trouble: BerthError | undefined;
  /** What sandboxes were asked to be from now on, the last one last. */
  readonly changes: unknown[] = [];
  readonly #fleet: FakeFleet;

  constructor(fleet: FakeFleet) {
    this.#fleet = fleet;
  }

  get routes(): readonly (readonly [Route, (call: Call) => Answer])[] {
    const begun = (operation: Operation): Answer => ({ status: 202, body: { operation } });
    return [
      [listSnapshots, ({ params }) => ({ status: 200, body: { items: this.#of(params.id ?? ""), nextCursor: null } })],
      [createSnapshot, ({ params, body }) => begun(this.#take(params.id ?? "", body))],
      [rollbackSnapshot, ({ params }) => begun(this.#fleet.begin(this.#fleet.sandbox(params.id ?? ""), "rollback"))],
      [deleteSnapshot, ({ params }) => begun(this.#remove(params.id ?? "", params.name ?? ""))],
      [forkSandbox, ({ params, body }) => ({ status: 202, body: this.#fork(params.id ?? "", body) })],
      [updateSandbox, ({ params, body }) => ({ status: 200, body: this.#change(params.id ?? "", body) })],
    ];
  }

  #of(id: string): Snapshot[] {
    if (this.trouble) throw this.trouble;
    return this.taken.get(this.#fleet.sandbox(id).id) ?? [];
  }

  #take(id: string, body: unknown): Operation {
    const { name, description = "" } = Value.Parse(createSnapshot.body, body);
    const sandbox = this.#fleet.sandbox(id);
    const before = this.#of(id);
    const parent = before.at(-1)?.name ?? null;
    const takenAt = new Date().toISOString();
    const snapshot = { name, description, takenAt, parent, running: true, current: true };
    this.taken.set(sandbox.id, [...before.map((one) => ({ ...one, current: false })), snapshot]);
    return this.#fleet.begin(sandbox, "snapshot");
  }

  #remove(id: string, name: string): Operation {
    const sandbox = this.#fleet.sandbox(id);
    const left = this.#of(id).filter((one) => one.name !== name);
    this.taken.set(sandbox.id, left);
    return this.#fleet.begin(sandbox, "delete_snapshot");
  }

  #fork(id: string, body: unknown): { sandbox: Sandbox; operation: Operation } {
    const { name = "unnamed" } = Value.Parse(forkSandbox.body, body);
    const source = this.#fleet.sandbox(id);
    const nowhere = { node: null, vmid: null, address: null } as const;
    const copy = this.#fleet.add(name, "provisioning", { ...nowhere, forkedFrom: source.id });
    const operation = this.#fleet.begin(copy, "fork");
    return { sandbox: this.#fleet.sandbox(copy.id), operation };
  }

  #change(id: string, body: unknown): Sandbox {
    const { env: _env, ...change } = Value.Parse(updateSandbox.body, body);
    const sandbox = this.#fleet.sandbox(id);
    this.changes.push(change);
    this.#fleet.change(sandbox, { ...change, drift: [] });
    if (change.cores !== undefined) this.#fleet.begin(sandbox, "change");
    return this.#fleet.sandbox(id);
  }
}
