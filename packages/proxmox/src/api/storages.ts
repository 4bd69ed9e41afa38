import Type from "typebox";
import { answerOf, Flag, flagOf, NumberLike, optionalNumber } from "../answer.ts";
import type { CallOptions } from "../transport-options.ts";
import type { Connection } from "./connection.ts";

const readStorages = answerOf(
  Type.Array(
    Type.Object({
      storage: Type.String({ minLength: 1 }),
      type: Type.String(),
      content: Type.Optional(Type.String()),
      active: Type.Optional(Flag),
      enabled: Type.Optional(Flag),
      shared: Type.Optional(Flag),
      total: Type.Optional(NumberLike),
      used: Type.Optional(NumberLike),
      avail: Type.Optional(NumberLike),
    }),
  ),
);

/** A storage as one node sees it. */
export interface ProxmoxStorage {
  readonly storage: string;
  /** `dir`, `zfspool`, `lvmthin`, … */
  readonly type: string;
  /** `rootdir`, `vztmpl`, … */
  readonly content: readonly string[];
  readonly active: boolean;
  readonly shared: boolean;
  readonly totalBytes: number | undefined;
  readonly usedBytes: number | undefined;
  readonly availableBytes: number | undefined;
}

const readVolumes = answerOf(
  Type.Array(
    Type.Object({
      volid: Type.String({ pattern: "^[^:]+:." }),
      size: Type.Optional(NumberLike),
    }),
  ),
);

/** An archive of a root file system that containers can be made from. */
export interface OsTemplate {
  /** What `ContainersApi.create` takes: `local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst`. */
  readonly volume: string;
  /** Its file name: `debian-12-standard_12.7-1_amd64.tar.zst`. */
  readonly name: string;
  readonly sizeBytes: number | undefined;
}

/** Storages of nodes. */
export class StoragesApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The node's storages that the token may see (Datastore.Audit), or those for one kind of content (`rootdir`). */
  async list(node: string, options: { content?: string } = {}, call?: CallOptions): Promise<ProxmoxStorage[]> {
    const storages = await this.#connection.ask(call, readStorages, (api) => api.nodes.$(node).storage.$get(options));
    return storages.map((raw) => ({
      storage: raw.storage,
      type: raw.type,
      content: (raw.content ?? "").split(",").filter((kind) => kind !== ""),
      active: raw.active === undefined || flagOf(raw.active),
      shared: flagOf(raw.shared),
      totalBytes: optionalNumber(raw.total),
      usedBytes: optionalNumber(raw.used),
      availableBytes: optionalNumber(raw.avail),
    }));
  }

  /** The archives for new containers on a storage (Datastore.Audit). */
  async templates(node: string, storage: string, call?: CallOptions): Promise<OsTemplate[]> {
    const volumes = await this.#connection.ask(call, readVolumes, (api) =>
      api.nodes.$(node).storage.$(storage).content.$get({ content: "vztmpl" }),
    );
    return volumes.map(({ volid, size }) => ({
      volume: volid,
      name: volid.slice(volid.lastIndexOf("/") + 1),
      sizeBytes: optionalNumber(size),
    }));
  }
}
