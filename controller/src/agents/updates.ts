import { after, backoffMs, type Clock, Gate } from "@berth/base";
import type { AgentUpdate } from "@berth/protocol";
import { type CloseReason, programsChannelKind } from "@berth/protocol/link";
import type { FastifyBaseLogger } from "fastify";
import type { AgentLink } from "./link.ts";
import { sendPrograms } from "./send-programs.ts";

/** The agent's programs as this controller has them. */
export interface Programs {
  readonly version: string;
  /** A gzipped tar. */
  readonly archive: Uint8Array;
  /** Of the archive, hexadecimal. */
  readonly sha256: string;
}

/** What is told of an update: it begins, has come to its end, or does not work in this sandbox. */
export type UpdateState = AgentUpdate["state"];

export interface AgentUpdatesDependencies {
  /** The present link of a sandbox. */
  link(sandboxId: string): Pick<AgentLink, "openChannel"> | undefined;
  /** Undefined where this controller has none. */
  programs(): Promise<Programs | undefined>;
  /** Whether a sandbox may be updated now; undefined if it is no more. */
  mayUpdate(sandboxId: string): Promise<boolean | undefined>;
  tell(sandboxId: string, state: UpdateState, version: string): Promise<void>;
  clock: Clock;
  log: FastifyBaseLogger;
}

/** An agent as it has just introduced itself. */
export interface ArrivedAgent {
  readonly sandboxId: string;
  readonly agentVersion: string;
  /** The version of an update that did not work there. */
  readonly failedUpdate: string | undefined;
}

const limits = {
  /** Sandboxes that are updated at a time, each until its agent has come back: a bad version so shows itself to few. */
  atOnce: 4,
  /** How long one is waited for with its place kept; an agent that reaches this controller gives up after two minutes. */
  returnMs: 150_000,
  /** A sandbox that is being changed is asked again after so long. */
  busyMs: 30_000,
  /** So long a version that failed is left alone in that sandbox. */
  failedMs: 3_600_000,
  retry: { firstMs: 5_000, maxMs: 600_000 },
} as const;

/** What is known of a sandbox whose agent is of another version. */
interface Known {
  /** The version that its agent said last. */
  agentVersion: string;
  /** Since it was last of the controller's version: each makes the next one later, however the one before ended. */
  attempts: number;
  /** When a version that did not work there may be tried again, in milliseconds since the Unix epoch. */
  leftUntil: number | undefined;
  /** It waits for its place, or has it. */
  busy: boolean;
  /** The version of an agent that takes no updates. */
  tooOld: string | undefined;
  /** It was told to be updated, and its agent has not come back from that. */
  returned: PromiseWithResolvers<void> | undefined;
  callOff: () => void;
}

/**
 * Brings agents to the version that this controller has. The agent proves the new one, and comes back with the old one if
 * it does not work; the terminals run on in either case. Nothing is kept but in memory: a controller that restarts hears
 * from each agent which version it has, and which has failed there.
 */
export class AgentUpdates {
  readonly #deps: AgentUpdatesDependencies;
  readonly #gate = new Gate(limits.atOnce);
  readonly #known = new Map<string, Known>();
  #stopped = false;

  constructor(dependencies: AgentUpdatesDependencies) {
    this.#deps = dependencies;
  }

  /** An agent has introduced itself, and its link is the present one. Never rejects. */
  async arrived(agent: ArrivedAgent): Promise<void> {
    try {
      const programs = await this.#deps.programs();
      if (programs && !this.#stopped) await this.#consider(agent, programs);
    } catch (error) {
      this.#deps.log.warn({ sandboxId: agent.sandboxId, err: error }, "an agent's version could not be looked at");
    }
  }

  /**
   * Whether an agent is about to be updated, or has not come back from that. Not one in which the version does not work, or
   * whose update was cut before: nobody can wait for these.
   */
  isDue(sandboxId: string): boolean {
    const known = this.#known.get(sandboxId);
    return known !== undefined && !known.tooOld && known.leftUntil === undefined && known.attempts <= 1;
  }

  /** Begins nothing more; what is on its way ends with the links. */
  stop(): void {
    this.#stopped = true;
    for (const sandboxId of [...this.#known.keys()]) this.#forget(sandboxId);
  }

  async #consider({ sandboxId, agentVersion, failedUpdate }: ArrivedAgent, programs: Programs): Promise<void> {
    const { log, tell } = this.#deps;
    const { version } = programs;
    const wasSent = this.#known.get(sandboxId)?.returned !== undefined;
    if (agentVersion === version) {
      this.#forget(sandboxId);
      if (!wasSent) return;
      log.info({ sandboxId, agentVersion }, "agent updated");
      await tell(sandboxId, "updated", version);
      return;
    }
    const known = this.#of(sandboxId, agentVersion);
    known.returned?.resolve();
    known.returned = undefined;
    if (known.tooOld === agentVersion) return;
    if (failedUpdate !== version && known.leftUntil === undefined) {
      this.#retry(sandboxId, known);
      return;
    }
    this.#leave(sandboxId, known);
    if (!wasSent) return;
    log.warn({ sandboxId, agentVersion, version }, "an agent came back from its update with the version before");
    await tell(sandboxId, "failed", version);
  }

  #of(sandboxId: string, agentVersion: string): Known {
    const unknown = {
      attempts: 0,
      leftUntil: undefined,
      busy: false,
      tooOld: undefined,
      returned: undefined,
      callOff: () => {},
    };
    const known: Known = this.#known.get(sandboxId) ?? { ...unknown, agentVersion };
    known.agentVersion = agentVersion;
    this.#known.set(sandboxId, known);
    return known;
  }

  #forget(sandboxId: string): void {
    const known = this.#known.get(sandboxId);
    known?.callOff();
    known?.returned?.resolve();
    this.#known.delete(sandboxId);
  }

  #schedule(sandboxId: string, ms: number): void {
    const known = this.#known.get(sandboxId);
    if (!known || this.#stopped) return;
    known.callOff();
    known.callOff = after(this.#deps.clock, ms, () => {
      if (known.busy) return;
      known.busy = true;
      void this.#gate.run(() => this.#attempt(sandboxId, known));
    });
  }

  /** Never rejects. */
  async #attempt(sandboxId: string, known: Known): Promise<void> {
    try {
      if (this.#known.get(sandboxId) === known) await this.#update(sandboxId, known);
    } catch (error) {
      this.#deps.log.warn({ sandboxId, err: error }, "an agent could not be updated");
      this.#retry(sandboxId, known);
    }
    known.busy = false;
  }

  async #update(sandboxId: string, known: Known): Promise<void> {
    const { link: linkOf, mayUpdate, programs: find, tell, clock, log } = this.#deps;
    const programs = await find();
    const may = await mayUpdate(sandboxId);
    const link = linkOf(sandboxId);
    if (may === undefined) this.#forget(sandboxId);
    else if (!may) this.#schedule(sandboxId, limits.busyMs);
    // One that is away is looked at again when it comes.
    if (!may || !link || !programs) return;
    const { version, archive, sha256 } = programs;
    log.info({ sandboxId, version }, "an agent is updated");
    await tell(sandboxId, "updating", version);
    const returned = Promise.withResolvers<void>();
    known.attempts += 1;
    known.leftUntil = undefined;
    // Its answer may get lost with its link, so that it may come back any time from now.
    known.returned = returned;
    const channel = link.openChannel(programsChannelKind, { version, bytes: archive.byteLength, sha256 });
    const reason = await sendPrograms(channel, archive, clock);
    if (reason.code !== undefined) {
      await this.#refused(sandboxId, known, { version, reason });
      return;
    }
    await this.#wait(returned.promise);
  }

  /** Keeps the place of a sandbox until its agent is back, or for as long as that may take. */
  async #wait(returned: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const callOff = after(this.#deps.clock, limits.returnMs, () => late.resolve());
    await Promise.race([returned, late.promise]);
    callOff();
  }

  async #refused(
    sandboxId: string,
    known: Known,
    { version, reason }: { version: string; reason: CloseReason },
  ): Promise<void> {
    const { log, tell } = this.#deps;
    switch (reason.code) {
      case "invalid_request":
        log.info({ sandboxId, version }, "an agent is too old to be updated, and stays as it is");
        known.tooOld = known.agentVersion;
        break;
      case "update_refused":
        log.warn({ sandboxId, version, reason: reason.detail }, "an update does not work in this sandbox");
        this.#leave(sandboxId, known);
        await tell(sandboxId, "failed", version);
        break;
      default:
        log.info({ sandboxId, version, reason: reason.code }, "an agent's update was cut and is tried again");
        this.#retry(sandboxId, known);
        return;
    }
    known.returned = undefined;
  }

  #retry(sandboxId: string, { attempts }: Known): void {
    this.#schedule(sandboxId, attempts === 0 ? 0 : backoffMs(attempts - 1, limits.retry));
  }

  /** Leaves a sandbox alone for a while, however often its agent comes and goes meanwhile. */
  #leave(sandboxId: string, known: Known): void {
    const now = this.#deps.clock.now();
    known.leftUntil ??= now + limits.failedMs;
    this.#schedule(sandboxId, Math.max(0, known.leftUntil - now));
  }
}
