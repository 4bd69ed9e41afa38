import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Scope } from "@berth/base";
import { parseJson } from "@berth/protocol";
import { type ContainerRef, normaliseFingerprint, ProxmoxClient, parseApiToken } from "@berth/proxmox";
import type { Berth } from "@berth/testkit";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

const factsSchema = Type.Object({
  url: Type.String(),
  fingerprint: Type.String(),
  node: Type.String(),
  pool: Type.String(),
  token: Type.String(),
  backend: Type.Enum(["lxc", "process"]),
});

const templateVmid = 150;
const firstVmid = 90_000;
/** Closer looks than the controller's: what is measured is the work, not the waiting for its end. */
const pollMs = 5;
/** To ask runs a program on the node: a script that asked more often would slow its own containers down. */
const addressPollMs = 100;
const bannerPollMs = 50;
const bannerTimeoutMs = 5_000;
const bootTimeoutMs = 120_000;

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
   * Clones the template, starts the clone, and destroys it once it has an address. Answers the milliseconds until each
   * of these was done, one after the other: together they are what no program around Proxmox can do without.
   */
  async cloneAndStart(): Promise<{ readonly cloneMs: number; readonly startMs: number; readonly addressMs: number }> {
    const at = this.#nextPlace();
    const begun = performance.now();
    try {
      await this.#clone(at);
      const cloned = performance.now();
      await this.#task(this.#client.containers.start(at));
      const started = performance.now();
      await this.#address(at);
      const addressed = performance.now();
      return { cloneMs: cloned - begun, startMs: started - cloned, addressMs: addressed - started };
    } finally {
      await this.#remove(at);
    }
  }

  /**
   * Answers for how many milliseconds of a piece of work any task of this Proxmox ran, as far as looks at them in a row
   * can tell: work around Proxmox takes what is left.
   */
  async tasksDuring(work: Promise<unknown>): Promise<number> {
    const { node } = this.#facts;
    const over = new AbortController();
    const end = () => over.abort();
    work.then(end, end);
    let [sum, last] = [0, performance.now()];
    while (!over.signal.aborted) {
      const active = await this.#client.tasks.list(node, { source: "active" });
      const now = performance.now();
      if (active.length > 0) sum += now - last;
      last = now;
      await wait(pollMs);
    }
    await work;
    return sum;
  }

  /**
   * Clones so often, one after the other, since the template is locked meanwhile; starts each clone as soon as it is
   * there, and waits until the last one's sshd has said its first word. Answers the milliseconds, and the clones, which
   * are there until `removeAll`.
   */
  async bringUp(count: number): Promise<{ readonly ms: number; removeAll(): Promise<void> }> {
    const places: ContainerRef[] = [];
    const booting: Promise<void>[] = [];
    const begun = performance.now();
    for (let made = 0; made < count; made += 1) {
      const at = this.#nextPlace();
      places.push(at);
      await this.#clone(at);
      const booted = this.#boot(at);
      booted.catch(() => {});
      booting.push(booted);
    }
    await Promise.all(booting);
    const ms = performance.now() - begun;
    return {
      ms,
      removeAll: async () => {
        for (const at of places) await this.#remove(at);
      },
    };
  }

  async #boot(at: ContainerRef): Promise<void> {
    await this.#task(this.#client.containers.start(at));
    await sshBanner(await this.#address(at), this.#facts.backend === "lxc" ? 22 : 2222);
  }

  #clone(at: ContainerRef): Promise<void> {
    const { node, pool } = this.#facts;
    const options = { newId: at.vmid, hostname: `bare-${at.vmid}`, pool };
    return this.#task(this.#client.containers.clone({ node, vmid: templateVmid }, options));
  }

  #nextPlace(): ContainerRef {
    this.#nextVmid += 1;
    return { node: this.#facts.node, vmid: this.#nextVmid };
  }

  async #address(at: ContainerRef): Promise<string> {
    for (const deadline = performance.now() + bootTimeoutMs; performance.now() < deadline; ) {
      const addresses = await this.#client.containers.addresses(at);
      const found = addresses.find(({ interface: name, family }) => name === "eth0" && family === 4);
      if (found) return found.address;
      await wait(addressPollMs);
    }
    throw new Error(`the container ${at.vmid} got no address`);
  }

  #remove(at: ContainerRef): Promise<void> {
    return this.#task(this.#client.containers.destroy(at, { force: true, purge: true }));
  }

  async #task(begin: Promise<string>): Promise<void> {
    const result = await this.#client.tasks.wait(await begin, { pollMs });
    if (!result.ok) throw new Error(`a task of the bundled Proxmox failed: ${result.exitStatus}`);
  }
}

/** Waits until an SSH server says what it is. */
async function sshBanner(host: string, port: number): Promise<void> {
  for (const deadline = performance.now() + bootTimeoutMs; performance.now() < deadline; ) {
    if (await saysSsh(host, port)) return;
    await wait(bannerPollMs);
  }
  throw new Error(`no SSH server at ${host}:${port}`);
}

function saysSsh(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: bannerTimeoutMs });
    const settle = (says: boolean) => {
      socket.destroy();
      resolve(says);
    };
    socket.once("data", (bytes) => settle(bytes.toString("latin1").startsWith("SSH-")));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => settle(false));
  });
}
