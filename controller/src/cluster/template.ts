import type { Clock } from "@berth/base";
import { templateEnvironment } from "@berth/protocol";
import { type ContainerConfig, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import Type from "typebox";
import { Value } from "typebox/value";

/** The container that sandboxes are cloned from, as far as a clone's maker must know it. */
export interface TemplateFacts {
  readonly vmid: number;
  readonly node: string;
  readonly name: string | undefined;
  /** Where its clones' sshd listens, and whom the first connection signs in as. */
  readonly sshPort: number;
  readonly sshUser: string;
  /** Size of its root disk; a clone's can only be larger. */
  readonly diskGiB: number | undefined;
}

export type TemplateState =
  | { kind: "ready"; facts: TemplateFacts }
  | { kind: "missing" }
  | { kind: "unusable"; node: string; reason: string };

/** How long what was read of the template is believed, in milliseconds. */
const freshMs = 10_000;

/** Finds the template and reads from its configuration how its clones are reached. */
export class TemplateFinder {
  readonly #client: ProxmoxClient;
  readonly #vmid: number;
  readonly #clock: Clock;
  #known: { at: number; state: TemplateState } | undefined;

  constructor(client: ProxmoxClient, vmid: number, clock: Clock) {
    this.#client = client;
    this.#vmid = vmid;
    this.#clock = clock;
  }

  get vmid(): number {
    return this.#vmid;
  }

  /** The template's present state; throws a ProxmoxError when Proxmox cannot be asked. */
  async find(): Promise<TemplateState> {
    const now = this.#clock.now();
    if (this.#known && now - this.#known.at < freshMs) return this.#known.state;
    const state = await this.#read();
    this.#known = state.kind === "ready" ? { at: now, state } : undefined;
    return state;
  }

  async #read(): Promise<TemplateState> {
    const resource = (await this.#client.cluster.containers()).find((candidate) => candidate.vmid === this.#vmid);
    if (!resource) return { kind: "missing" };
    try {
      const config = await this.#client.containers.config(resource);
      if (!config.template)
        return { kind: "unusable", node: resource.node, reason: "it is a container, not a template" };
      return {
        kind: "ready",
        facts: { vmid: this.#vmid, node: resource.node, name: config.hostname, ...reach(config) },
      };
    } catch (error) {
      if (isProxmoxError(error, "missing")) return { kind: "missing" };
      throw error;
    }
  }
}

const rawLines = Type.Array(Type.Tuple([Type.String(), Type.String()]));

/** A template says otherwise by raw LXC keys, `lxc.environment = BERTH_SSH_PORT=2222`. */
function reach(config: ContainerConfig): Pick<TemplateFacts, "sshPort" | "sshUser" | "diskGiB"> {
  const lines = Value.Check(rawLines, config.raw.lxc) ? config.raw.lxc : [];
  const variables = new Map(
    lines.flatMap(([key, value]) => {
      const at = value.indexOf("=");
      return key === "lxc.environment" && at > 0 ? [[value.slice(0, at), value.slice(at + 1)] as const] : [];
    }),
  );
  const port = Number(variables.get(templateEnvironment.sshPort) ?? 22);
  return {
    sshPort: Number.isInteger(port) && port > 0 && port < 65_536 ? port : 22,
    sshUser: variables.get(templateEnvironment.sshUser) ?? "root",
    diskGiB: diskGiB(config.rootfs?.size),
  };
}

/** Proxmox writes sizes as `512M`, `8G`, `1T`. */
function diskGiB(size: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([MGT])$/.exec(size ?? "");
  if (!match) return undefined;
  const factor = { M: 1 / 1024, G: 1, T: 1024 }[match[2] as "M" | "G" | "T"];
  return Number(match[1]) * factor;
}
