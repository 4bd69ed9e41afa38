import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess } from "@berth/base/node";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ContainerBackend, EndReason, StartSettings } from "../src/backend/backend.ts";

/** A container under the contract. */
export interface ContractContainer {
  readonly dataDir: string;
  readonly vmid: number;
  /** Of its init; 0 when it does not run. */
  readonly pid: number;
}

/** What the contract asks only of backends that can have it. */
export type Capability =
  /** Containers outlive the object that started them, so that another one can take them over. */
  "takeover";

/** A backend under the contract. */
export interface ContractSubject {
  /** What it cannot do; the tests of it are left out, and say so. */
  readonly lacks?: readonly Capability[];
  /** Opens the backend of a data folder. */
  open(dataDir: string): Promise<ContainerBackend>;
  /** The text of a file in a running container. */
  read(container: ContractContainer, path: string): Promise<string>;
  write(container: ContractContainer, path: string, text: string): Promise<void>;
  /** Has the container shut down or reboot itself. */
  command(container: ContractContainer, word: "poweroff" | "reboot"): Promise<unknown>;
  /** Whether an init runs. */
  lives(pid: number): boolean;
  /** Kills an init, behind the backend's back. */
  killInit(pid: number): void;
  /** What is left of the disks of a container that was removed, where it is kept. */
  leftOf(dataDir: string, vmid: number): Promise<readonly string[]>;
}

/** Of containers that are processes of this machine, and whose files it can see below a root. */
export function processSubject(
  rootOf: (container: ContractContainer) => string,
): Pick<ContractSubject, "read" | "write" | "lives" | "killInit" | "leftOf"> {
  return {
    read: (container, path) => readFile(join(rootOf(container), path), "utf8"),
    write: (container, path, text) => writeFile(join(rootOf(container), path), text),
    lives: (pid) => identifyProcess(pid) !== undefined,
    killInit: (pid) => void process.kill(pid, "SIGKILL"),
    async leftOf(dataDir, vmid) {
      const kept = await readdir(join(dataDir, "containers", String(vmid)));
      // What the core removes with the folder: configurations and logs.
      const left = kept.filter((one) => !/^(?:lxc\.(?:conf|log)|ended)$/.test(one));
      return [...left, ...(await readdir(join(dataDir, "trash")))];
    },
  };
}

const template = 150;
const quiet = () => {};

export const startSettings = (vmid: number, more: Partial<StartSettings> = {}): StartSettings => ({
  hostname: `contract-${vmid}`,
  limits: { memoryMiB: 512, swapMiB: 0, cores: 1 },
  nesting: true,
  rawKeys: [],
  cards: [{ name: "eth0", mac: `02:00:00:00:${String(vmid).slice(0, 2)}:${String(vmid).slice(-2)}`, ip: "dhcp" }],
  nameservers: undefined,
  searchDomain: undefined,
  ...more,
});

/** What every backend promises to the emulator's core. */
export function describeContract(name: string, subject: ContractSubject): void {
  describe(`a backend of ${name}`, () => {
    let directory: TemporaryDirectory;
    let dataDir: string;
    let backend: ContainerBackend;
    let ends: [vmid: number, reason: EndReason][];

    const listen = () => {
      backend.onEnd = (vmid, reason) => void ends.push([vmid, reason]);
    };
    const clone = async (vmid: number, source = template, snapshot?: string) => {
      // As the core does, which keeps the configuration there.
      await mkdir(join(dataDir, "containers", String(vmid)), { recursive: true });
      const linked = source === template;
      await backend.disks.copy(source, snapshot, vmid, { linked, signal: new AbortController().signal, log: quiet });
    };
    const running = async (vmid: number) => {
      await clone(vmid);
      await backend.start(vmid, startSettings(vmid));
    };
    const container = (vmid: number) => ({ dataDir, vmid, pid: backend.running(vmid)?.pid ?? 0 });
    const read = (vmid: number, path: string) => subject.read(container(vmid), path);
    const write = (vmid: number, path: string, text: string) => subject.write(container(vmid), path, text);
    const erase = async (vmid: number) => {
      await backend.kill(vmid);
      await backend.disks.remove(vmid);
      await backend.forget(vmid);
    };

    beforeAll(async () => {
      directory = await temporaryDirectory();
      dataDir = join(directory.path, "data");
      await mkdir(join(dataDir, "containers"), { recursive: true });
      backend = await subject.open(dataDir);
      await backend.adopt([]);
      await backend.disks.buildTemplate(template);
      ends = [];
      listen();
    }, 180_000);

    afterEach(async () => {
      for (const vmid of [201, 202, 203]) await erase(vmid);
      ends = [];
    });

    afterAll(async () => {
      await backend[Symbol.asyncDispose]();
      await directory.dispose();
    });

    it("builds the template once", async () => {
      expect(await backend.disks.buildTemplate(template)).toBe(false);
    });

    it("runs a clone, and tells its process and what it uses", async () => {
      expect(backend.running(201)).toBeUndefined();
      await running(201);
      const { pid, startedAtMs } = backend.running(201) ?? { pid: 0, startedAtMs: 0 };
      expect(subject.lives(pid)).toBe(true);
      expect(Math.abs(Date.now() - startedAtMs)).toBeLessThan(20_000);
      await eventually(async () => (await backend.usage(201)).memoryBytes > 1024 * 1024);
      expect((await backend.usage(201)).cores).toBeGreaterThanOrEqual(0);
    });

    it("tells a container's interfaces, with the card's name and MAC, and soon an address", async () => {
      await running(201);
      const { cards } = startSettings(201);
      const card = await eventually(
        async () => {
          const found = (await backend.interfaces(201, cards)).find(({ name: one }) => one === "eth0");
          return found?.addresses.some(({ family }) => family === "inet") ? found : undefined;
        },
        { timeoutMs: 20_000 },
      );
      expect(card.mac).toBe(cards[0]?.mac);
      expect(card.addresses.some(({ address }) => address.startsWith("fe80:"))).toBe(true);
      expect((await backend.interfaces(201, cards))[0]?.name).toBe("lo");
    });

    it("gives every copy an identity of its own, and the name that it is started with", async () => {
      await Promise.all([running(201), running(202)]);
      const idOf = (vmid: number) =>
        eventually(async () => {
          const text = await read(vmid, "etc/machine-id");
          return /^[0-9a-f]{32}\n$/.test(text) ? text : undefined;
        });
      expect(await idOf(201)).not.toBe(await idOf(202));
      expect(await read(201, "etc/hostname")).toBe("contract-201\n");
    });

    it("shuts a container down when it is asked to, and reports no end of it", async () => {
      await running(201);
      const { pid } = backend.running(201) ?? { pid: 0 };
      expect(await backend.shutdown(201, 20_000)).toBe(true);
      expect(backend.running(201)).toBeUndefined();
      expect(subject.lives(pid)).toBe(false);
      expect(ends).toEqual([]);
      await backend.start(201, startSettings(201));
      expect(backend.running(201)).toBeDefined();
    });

    it("gives up a shutdown that is aborted", async () => {
      await running(201);
      expect(await backend.shutdown(201, 20_000, AbortSignal.abort())).toBe(false);
    });

    it("kills at once, also what does not run", async () => {
      await running(201);
      await backend.kill(201);
      expect(backend.running(201)).toBeUndefined();
      await backend.kill(201);
      await backend.kill(999);
      expect(ends).toEqual([]);
    });

    it("tells of a container that was shut down or rebooted from inside", async () => {
      await Promise.all([running(201), running(202)]);
      const settled = (vmid: number) => eventually(() => ends.find(([one]) => one === vmid), { timeoutMs: 30_000 });
      const inside = (vmid: number, word: "poweroff" | "reboot") =>
        eventually(() => subject.command(container(vmid), word).then(() => true), { timeoutMs: 10_000 });
      await inside(201, "poweroff");
      await inside(202, "reboot");
      expect(await settled(201)).toEqual([201, "stopped"]);
      expect(await settled(202)).toEqual([202, "reboot"]);
      expect(backend.running(201)).toBeUndefined();
    });

    it("tells of a container whose init was killed", async () => {
      await running(201);
      subject.killInit(container(201).pid);
      await eventually(() => ends.length > 0, { timeoutMs: 10_000 });
      expect(ends).toEqual([[201, "stopped"]]);
    });

    it("refuses to start what has no disk", async () => {
      await mkdir(join(dataDir, "containers", "203"), { recursive: true });
      await expect(backend.start(203, startSettings(203))).rejects.toThrow();
      expect(backend.running(203)).toBeUndefined();
    });

    it("takes a snapshot of a container that runs, goes back to it, and clones it", async () => {
      await running(201);
      await write(201, "workspace/note", "before");
      await backend.disks.createSnapshot(201, "early");
      await write(201, "workspace/note", "after");
      expect(await backend.disks.snapshots(201)).toEqual(["early"]);
      await clone(202, 201, "early");
      await backend.kill(201);
      await backend.disks.rollBack(201, "early");
      for (const vmid of [201, 202]) {
        await backend.start(vmid, startSettings(vmid));
        expect(await read(vmid, "workspace/note")).toBe("before");
      }
      await backend.disks.removeSnapshot(201, "early");
      expect(await backend.disks.snapshots(201)).toEqual([]);
    });

    it("keeps what a container wrote over restarts, and copies it", async () => {
      await running(201);
      await write(201, "workspace/note", "kept");
      await backend.shutdown(201, 20_000);
      await clone(202, 201);
      await backend.start(202, startSettings(202));
      expect(await read(202, "workspace/note")).toBe("kept");
    });

    it("makes linked clones of a container that became a template", async () => {
      await running(201);
      await write(201, "workspace/note", "shared");
      await backend.shutdown(201, 20_000);
      await backend.disks.convertToTemplate(201);
      await clone(202, 201);
      await backend.start(202, startSettings(202));
      expect(await read(202, "workspace/note")).toBe("shared");
    });

    it("stops a copy in whose midst it is told to", async () => {
      await mkdir(join(dataDir, "containers", "201"), { recursive: true });
      const options = { linked: false, bytesPerSecond: 1000, signal: AbortSignal.timeout(50), log: quiet };
      await expect(backend.disks.copy(template, undefined, 201, options)).rejects.toThrow("interrupted by signal");
    });

    it("leaves nothing of a container that is removed", async () => {
      await running(201);
      await backend.disks.grow(201, 3 * 1024 ** 3);
      await backend.disks.createSnapshot(201, "early");
      await erase(201);
      expect(await subject.leftOf(dataDir, 201)).toEqual([]);
    });

    const lacksTakeover = subject.lacks?.includes("takeover") ?? false;
    it.skipIf(lacksTakeover)(
      "lets containers run without it, takes them over, and ends those that nobody knows",
      async () => {
        await Promise.all([running(201), running(202)]);
        const [known, unknown] = [backend.running(201), backend.running(202)];
        backend.leave();
        backend = await subject.open(dataDir);
        await backend.adopt([template, 201]);
        listen();
        expect(backend.running(201)).toEqual(known);
        expect(subject.lives(unknown?.pid ?? 0)).toBe(false);
        expect(await backend.shutdown(201, 20_000)).toBe(true);
        await backend.start(201, startSettings(201));
      },
    );
  });
}
