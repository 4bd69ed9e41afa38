import Type, { type Static } from "typebox";
import { answerOf, Flag, flagOf, readUpid } from "../answer.ts";
import type { CallOptions } from "../transport-options.ts";
import type { Connection } from "./connection.ts";

// PVE checks none of this: the list is what the publishers' index files say.
const ApplianceSchema = Type.Object({
  template: Type.String({ minLength: 1 }),
  package: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  os: Type.Optional(Type.String()),
  section: Type.Optional(Type.String()),
  architecture: Type.Optional(Type.String()),
  headline: Type.Optional(Type.String()),
});

/** An archive of a root file system that a node can download by itself. */
export interface ApplianceTemplate {
  /** Its file name, such as `debian-12-standard_12.7-1_amd64.tar.zst`; what `downloadTemplate` takes. */
  readonly template: string;
  /** `debian-12-standard` */
  readonly package: string | undefined;
  /** `12.7-1` */
  readonly version: string | undefined;
  /** `debian-12` */
  readonly os: string | undefined;
  /** `system` for plain systems; `turnkeylinux` and `mail` are others. */
  readonly section: string | undefined;
  /** `amd64` */
  readonly architecture: string | undefined;
  readonly headline: string | undefined;
}

const BridgeSchema = Type.Object({ iface: Type.String({ minLength: 1 }), active: Type.Optional(Flag) });

/** A network bridge of a node, of Linux, Open vSwitch or SDN. */
export interface ProxmoxBridge {
  readonly name: string;
  readonly active: boolean;
}

const readBridges = answerOf(Type.Array(BridgeSchema));
const readAppliances = answerOf(Type.Array(ApplianceSchema));

/** Hosts. */
export class NodesApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The bridges that containers of the node can be connected to, as far as the token may see them. */
  async bridges(node: string, call?: CallOptions): Promise<ProxmoxBridge[]> {
    const bridges = await this.#connection.ask(call, readBridges, (api) =>
      api.nodes.$(node).network.$get({ type: "any_bridge" }),
    );
    // Those of SDN do not tell whether they are active.
    return bridges.map(({ iface, active }) => ({ name: iface, active: active === undefined || flagOf(active) }));
  }

  /** What the node could download; the node's own copy of the index, which it refreshes once a day. */
  async applianceTemplates(node: string, call?: CallOptions): Promise<ApplianceTemplate[]> {
    const appliances = await this.#connection.ask(call, readAppliances, (api) => api.nodes.$(node).aplinfo.$get());
    return appliances.map(applianceOf);
  }

  /**
   * Begins to download one into a storage for `vztmpl` (Datastore.AllocateTemplate there). What is there already is
   * not downloaded again. Afterwards it is the volume `STORAGE:vztmpl/TEMPLATE`.
   */
  downloadTemplate(
    node: string,
    options: { readonly storage: string; readonly template: string },
    call?: CallOptions,
  ): Promise<string> {
    const { storage, template } = options;
    return this.#connection.ask(call, readUpid, (api) => api.nodes.$(node).aplinfo.$post({ storage, template }));
  }
}

function applianceOf(raw: Static<typeof ApplianceSchema>): ApplianceTemplate {
  return {
    template: raw.template,
    package: raw.package,
    version: raw.version,
    os: raw.os,
    section: raw.section,
    architecture: raw.architecture,
    headline: raw.headline,
  };
}
