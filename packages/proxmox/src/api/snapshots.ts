import Type from "typebox";
import { answerOf, NumberLike, optionalNumber, readUpid } from "../answer.ts";
import { defined } from "../defined.ts";
import type { CallOptions } from "../transport-options.ts";
import type { Connection } from "./connection.ts";
import type { ContainerRef } from "./containers.ts";

const readSnapshots = answerOf(
  Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1 }),
      description: Type.Optional(Type.String()),
      parent: Type.Optional(Type.String()),
      snaptime: Type.Optional(NumberLike),
      snapstate: Type.Optional(Type.String()),
    }),
  ),
);

/** One snapshot of a container. */
export interface ContainerSnapshot {
  readonly name: string;
  readonly description: string | undefined;
  /** The snapshot that it was taken after. */
  readonly parent: string | undefined;
  /** Seconds since the Unix epoch. */
  readonly takenAtSeconds: number | undefined;
  /** What the container is now descends from it. */
  readonly current: boolean;
  /** `prepare` or `delete`: a task was cut off while it worked on it. Undefined: it is whole. */
  readonly unfinished: string | undefined;
}

/** Snapshots of containers. Calls that answer a string answer a task's id. */
export class SnapshotsApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The snapshots, without PVE's own entry `current` for the present state. */
  async list(at: ContainerRef, call?: CallOptions): Promise<ContainerSnapshot[]> {
    const snapshots = await this.#connection.ask(call, readSnapshots, (api) =>
      api.nodes.$(at.node).lxc.$(at.vmid).snapshot.$get(),
    );
    const present = snapshots.find(({ name }) => name === "current")?.parent;
    return snapshots
      .filter((snapshot) => snapshot.name !== "current")
      .map((snapshot) => ({
        name: snapshot.name,
        description: snapshot.description?.replace(/\n$/, ""),
        parent: snapshot.parent,
        takenAtSeconds: optionalNumber(snapshot.snaptime),
        current: snapshot.name === present,
        unfinished: snapshot.snapstate,
      }));
  }

  /** Begins to take one. Names have two characters or more and begin with a letter; a taken name fails the task. */
  create(at: ContainerRef, options: { name: string; description?: string }, call?: CallOptions): Promise<string> {
    const parameters = { snapname: options.name, ...defined({ description: options.description }) };
    return this.#connection.ask(call, readUpid, (api) =>
      api.nodes.$(at.node).lxc.$(at.vmid).snapshot.$post(parameters),
    );
  }

  /** Begins to go back to one; the container is stopped first, and with `start` started afterwards. */
  rollback(at: ContainerRef, name: string, options: { start?: boolean } = {}, call?: CallOptions): Promise<string> {
    return this.#connection.ask(call, readUpid, (api) =>
      api.nodes.$(at.node).lxc.$(at.vmid).snapshot.$(name).rollback.$post(options),
    );
  }

  /** Begins to delete one; `force` removes it from the configuration even if its disk cannot be. */
  remove(at: ContainerRef, name: string, options: { force?: boolean } = {}, call?: CallOptions): Promise<string> {
    return this.#connection.ask(call, readUpid, (api) =>
      api.nodes.$(at.node).lxc.$(at.vmid).snapshot.$(name).$delete(options),
    );
  }
}
