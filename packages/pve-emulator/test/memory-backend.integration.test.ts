import { systemClock } from "@berth/base";
import { MemoryBackend, type MemoryGuest, subnetOf } from "../src/index.ts";
import { describeContract } from "./backend-contract.ts";

/** The guests that run, by their init's number. */
const guests = new Map<number, MemoryGuest>();
let backend: MemoryBackend | undefined;

function end(pid: number, reason: "stopped" | "reboot"): void {
  const guest = guests.get(pid);
  guests.delete(pid);
  guest?.ended(reason);
}

describeContract("memory", {
  lacks: ["takeover"],
  async open(dataDir) {
    backend = new MemoryBackend({
      clock: systemClock,
      tokenSecret: "a secret",
      subnet: subnetOf(dataDir),
      sshPort: 2222,
      sshUser: "root",
      async boot(guest) {
        guests.set(guest.pid, guest);
        return { kill: () => void guests.delete(guest.pid) };
      },
    });
    return backend;
  },
  async read({ pid }, path) {
    const text = guests.get(pid)?.root.get(path);
    if (text === undefined) throw new Error(`there is no ${path}`);
    return text;
  },
  async write({ pid }, path, text) {
    guests.get(pid)?.root.set(path, text);
  },
  command: async ({ pid }, word) => end(pid, word === "reboot" ? "reboot" : "stopped"),
  lives: (pid) => guests.has(pid),
  killInit: (pid) => end(pid, "stopped"),
  leftOf: async (_dataDir, vmid) =>
    backend?.disks
      .vmids()
      .filter((one) => one === vmid)
      .map(String) ?? [],
});
