import type { Clock } from "@berth/base";
import { type SkippedPart, templateEnvironment } from "@berth/protocol";
import { type ContainerConfig, type ContainerResource, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import { readTemplateNote } from "@berth/template";
import Type from "typebox";
import { Value } from "typebox/value";
import { gibOf } from "../cluster/sizes.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { readTemplateMark, templateHostname, templateTag } from "./mark.ts";
import type { TemplateRow } from "./record.ts";
import type { Templates } from "./repository.ts";

/** The container that sandboxes are cloned from, as far as a clone's maker must know it. */
export interface TemplateFacts {
  readonly vmid: number;
  readonly node: string;
  readonly name: string | undefined;
  /** Where its disk is, and how large that is. */
  readonly storage: string | undefined;
  readonly diskGiB: number | undefined;
  /** Where its clones' sshd listens, and whom the first connection signs in as. */
  readonly sshPort: number;
  readonly sshUser: string;
  /** What is known of one that Berth has built; undefined for any other, such as the bundled one. */
  readonly built: BuiltFacts | undefined;
  /** What it says of its contents: by its mark, or by a note that nobody signed, for people to read. */
  readonly contents: ContentsFacts | undefined;
}

/** What is in a template. */
export interface ContentsFacts {
  readonly version: string;
  readonly skipped: readonly SkippedPart[];
  readonly at: Date;
}

/** What the mark of a template says. */
export interface BuiltFacts extends ContentsFacts {
  /** Its clones' bootstrap keys are made from it. */
  readonly id: string;
}

export type TemplateState =
  | { kind: "ready"; facts: TemplateFacts }
  | { kind: "missing" }
  | { kind: "unusable"; node: string; reason: string };

export interface TemplateFinderDependencies {
  client: ProxmoxClient;
  keys: FleetKeys;
  templates: Pick<Templates, "all" | "adopt">;
  /** The ids of the templates that are used while none was built, the first one's first; on several nodes, several. */
  vmids: readonly [number, ...number[]];
  clock: Clock;
}

/** What the API tells of a reason. */
const maxReasonChars = 256;

/** How long what was read of the template is believed, in milliseconds. */
const freshMs = 10_000;

/**
 * Finds the template that sandboxes are cloned from: the one that was built last, or the one that the settings name.
 * What Proxmox has counts; the database only says where to look first.
 */
export class TemplateFinder {
  readonly #deps: TemplateFinderDependencies;
  #known: { at: number; state: TemplateState } | undefined;
  #knownAll: { at: number; facts: readonly TemplateFacts[] } | undefined;
  #seen: ReadonlySet<number> = new Set();

  constructor(dependencies: TemplateFinderDependencies) {
    this.#deps = dependencies;
  }

  /** The id that the settings name, or the first of them. */
  get vmid(): number {
    return this.#deps.vmids[0];
  }

  /** The template's present state; throws a ProxmoxError when Proxmox cannot be asked. */
  async find(): Promise<TemplateState> {
    const now = this.#deps.clock.now();
    if (this.#known && now - this.#known.at < freshMs) return this.#known.state;
    const state = await this.#read();
    this.#known = state.kind === "ready" ? { at: now, state } : undefined;
    return state;
  }

  /**
   * The templates that can be cloned now, the best one of each node, with the newest first: what was built counts, and
   * while nothing was, what the settings name. Empty: `find` says why. Throws like it.
   */
  async all(): Promise<readonly TemplateFacts[]> {
    const now = this.#deps.clock.now();
    if (this.#knownAll && now - this.#knownAll.at < freshMs) return this.#knownAll.facts;
    const facts = await this.#readAll();
    this.#knownAll = facts.length > 0 ? { at: now, facts } : undefined;
    return facts;
  }

  /** The ids of all containers, as of the last look: what is not among them is gone, or may not be seen any more. */
  get seen(): ReadonlySet<number> {
    return this.#seen;
  }

  /** Forgets what is known: another one was built. */
  forget(): void {
    this.#known = undefined;
    this.#knownAll = undefined;
  }

  /** One certain template, if it is there and can be cloned. */
  async at(vmid: number): Promise<TemplateFacts | undefined> {
    const current = await this.find();
    if (current.kind === "ready" && current.facts.vmid === vmid) return current.facts;
    const resource = (await this.#deps.client.cluster.containers()).find((candidate) => candidate.vmid === vmid);
    const state = resource && (await this.#inspect(resource));
    return state?.kind === "ready" ? state.facts : undefined;
  }

  async #read(): Promise<TemplateState> {
    const containers = new Map((await this.#deps.client.cluster.containers()).map((one) => [one.vmid, one]));
    this.#seen = new Set(containers.keys());
    for (const row of await this.#built(containers)) {
      const resource = containers.get(row.vmid ?? 0);
      const state = resource && (await this.#inspectBuilt(resource));
      if (state?.kind === "ready" && state.facts.built?.id === row.id) return state;
    }
    return this.#configured(containers);
  }

  /** What the settings name: the first that can be cloned, or else why the first cannot. */
  async #configured(containers: ReadonlyMap<number, ContainerResource>): Promise<TemplateState> {
    const [first, ...others] = this.#deps.vmids;
    const resource = containers.get(first);
    if (others.length === 0) return resource ? this.#inspect(resource) : { kind: "missing" };
    const states: TemplateState[] = [];
    for (const vmid of this.#deps.vmids) {
      const one = containers.get(vmid);
      const state = one && (await this.#inspectBuilt(one));
      if (state?.kind === "ready") return state;
      if (state) states.push(state);
    }
    return states[0] ?? { kind: "missing" };
  }

  async #readAll(): Promise<TemplateFacts[]> {
    const containers = new Map((await this.#deps.client.cluster.containers()).map((one) => [one.vmid, one]));
    const ready = async (vmids: readonly number[]): Promise<TemplateFacts[]> => {
      const found = vmids.map((vmid) => containers.get(vmid)).filter((one) => one !== undefined);
      const states = await Promise.all(found.map((one) => this.#inspectBuilt(one)));
      return states.flatMap((state) => (state?.kind === "ready" ? [state.facts] : []));
    };
    const rows = await this.#built(containers);
    const built = await ready(rows.flatMap(({ vmid }) => (vmid === null ? [] : [vmid])));
    const known = new Set(rows.map(({ id }) => id));
    const own = built.filter((facts) => known.has(facts.built?.id ?? ""));
    return firstOfEachNode(own.length > 0 ? own : await ready(this.#deps.vmids));
  }

  /** Those that were built, the newest first; writes down those that the database does not know. */
  async #built(containers: ReadonlyMap<number, ContainerResource>): Promise<TemplateRow[]> {
    const known = await this.#deps.templates.all();
    const vmids = new Set(known.map(({ vmid }) => vmid));
    const found = [...containers.values()].filter((one) => !vmids.has(one.vmid) && looksBuilt(one));
    let adopted = false;
    for (const resource of found) adopted = (await this.#adopt(resource)) || adopted;
    const rows = adopted ? await this.#deps.templates.all() : known;
    return rows.filter(({ state }) => state === "ready");
  }

  async #adopt(resource: ContainerResource): Promise<boolean> {
    const { client, keys, templates } = this.#deps;
    try {
      const { description } = await client.containers.config(resource);
      const mark = readTemplateMark(keys, description, resource.vmid);
      // The mark says "ready" a moment before Proxmox makes it a template.
      if (mark.kind !== "ours" || (mark.statement.state === "ready" && !resource.template)) return false;
      await templates.adopt(mark.statement, resource.node);
      return true;
    } catch (error) {
      if (isProxmoxError(error, "missing", "forbidden", "node_offline")) return false;
      throw error;
    }
  }

  /** A built one that cannot be read now is passed over for the next. */
  async #inspectBuilt(resource: ContainerResource): Promise<TemplateState | undefined> {
    try {
      return await this.#inspect(resource);
    } catch (error) {
      if (isProxmoxError(error, "forbidden", "node_offline")) return undefined;
      throw error;
    }
  }

  async #inspect(resource: ContainerResource): Promise<TemplateState> {
    const { vmid, node } = resource;
    try {
      const config = await this.#deps.client.containers.config(resource);
      if (!config.template) return { kind: "unusable", node, reason: "it is a container, not a template" };
      const built = this.#builtFacts(config, vmid);
      const disk = { storage: config.rootfs?.volume?.split(":")[0], diskGiB: gibOf(config.rootfs?.size) };
      const contents = built ?? notedFacts(config);
      return {
        kind: "ready",
        facts: { vmid, node, name: config.hostname, ...disk, built, contents, ...reach(config) },
      };
    } catch (error) {
      if (isProxmoxError(error, "missing")) return { kind: "missing" };
      throw error;
    }
  }

  #builtFacts(config: ContainerConfig, vmid: number): BuiltFacts | undefined {
    const mark = readTemplateMark(this.#deps.keys, config.description, vmid);
    if (mark.kind !== "ours") return undefined;
    const { id, version, skipped, builtAt } = mark.statement;
    return { id, version, skipped, at: new Date(builtAt) };
  }
}

function firstOfEachNode(templates: readonly TemplateFacts[]): TemplateFacts[] {
  const byNode = new Map<string, TemplateFacts>();
  for (const facts of templates) if (!byNode.has(facts.node)) byNode.set(facts.node, facts);
  return [...byNode.values()];
}

function looksBuilt({ tags, name }: ContainerResource): boolean {
  return tags.includes(templateTag) || name === templateHostname;
}

/** A template that was made by hand has its note in its description, the bundled one among its raw LXC keys. */
function notedFacts(config: ContainerConfig): ContentsFacts | undefined {
  const facts = readTemplateNote(config.description ?? "") ?? readTemplateNote(rawVariable(config, "contents") ?? "");
  if (!facts) return undefined;
  const skipped = facts.skipped.map(({ name, reason }) => ({ name, reason: reason.slice(0, maxReasonChars) }));
  return { version: facts.version, skipped, at: new Date(facts.builtAt) };
}

const rawLines = Type.Array(Type.Tuple([Type.String(), Type.String()]));

/** What a template says by raw LXC keys, `lxc.environment = BERTH_SSH_PORT=2222`. */
function rawVariable(config: ContainerConfig, name: keyof typeof templateEnvironment): string | undefined {
  const lines = Value.Check(rawLines, config.raw.lxc) ? config.raw.lxc : [];
  const start = `${templateEnvironment[name]}=`;
  const [, value] = lines.find(([key, text]) => key === "lxc.environment" && text.startsWith(start)) ?? [];
  return value?.slice(start.length);
}

/** Where the sshd of a container listens, and whom a first connection to it signs in as. */
export function reach(config: ContainerConfig): Pick<TemplateFacts, "sshPort" | "sshUser"> {
  const port = Number(rawVariable(config, "sshPort") ?? 22);
  return {
    sshPort: Number.isInteger(port) && port > 0 && port < 65_536 ? port : 22,
    sshUser: rawVariable(config, "sshUser") ?? "root",
  };
}
