import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Scope } from "@berth/base";
import { parseJson } from "@berth/protocol";
import { normaliseFingerprint, ProxmoxClient, parseApiToken } from "@berth/proxmox";
import type { Berth } from "@berth/testkit";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

const factsSchema = Type.Object({
  url: Type.String(),
  fingerprint: Type.String(),
  node: Type.String(),
  pool: Type.String(),
  token: Type.String(),
});

const templateVmid = 150;
const firstVmid = 90_000;
/** Closer looks than the controller's: what is measured is the work, not the waiting for its end. */
const pollMs = 5;

/** The Proxmox of a Berth that runs, used with nothing around it. */
export class BareProxmox {
  readonly #client: ProxmoxClient;
  readonly #facts: Static<typeof factsSchema>;
  #nextVmid = firstVmid;

  private constructor(client: ProxmoxClient, facts: Static<typeof factsSchema>) {
    this.#client = client;
    this.#facts = facts;
  }

  /** Connects to the bundled Proxmox of a Berth, for as long as the scope lasts. */
  static async of(berth: Berth, scope: Scope): Promise<BareProxmox> {
    const facts = parseJson(await readFile(join(berth.dataDir, "proxmox", "emulator.json"), "utf8"));
    if (!Value.Check(factsSchema, facts)) throw new Error("the bundled Proxmox tells of itself in another form");
    const client = new ProxmoxClient({
      urls: [facts.url],
      credentials: parseApiToken(facts.token),
      trust: { kind: "fingerprint", fingerprints: [normaliseFingerprint(facts.fingerprint)] },
    });
    return new BareProxmox(scope.own(client), facts);
  }

  /**
   * Clones the template, starts the clone and destroys it. Answers the milliseconds until the start had ended, which
   * on the process backend is when sshd has answered.
   */
  async cloneAndStart(): Promise<number> {
    const { node, pool } = this.#facts;
    const { containers } = this.#client;
    this.#nextVmid += 1;
    const at = { node, vmid: this.#nextVmid };
    const begun = performance.now();
    await this.#task(containers.clone({ node, vmid: templateVmid }, { newId: at.vmid, hostname: "bare", pool }));
    await this.#task(containers.start(at));
    const ms = performance.now() - begun;
    await this.#task(containers.destroy(at, { force: true, purge: true }));
    return ms;
  }

  async #task(begin: Promise<string>): Promise<void> {
    const result = await this.#client.tasks.wait(await begin, { pollMs });
    if (!result.ok) throw new Error(`a task of the bundled Proxmox failed: ${result.exitStatus}`);
  }
}
