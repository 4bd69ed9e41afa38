import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import {
  identifyProcess,
  isErrno,
  isRunning,
  makePrivateDirectory,
  type ProcessIdentity,
  writeFileAtomic,
} from "@berth/base/node";
import { commandEnvironment, inside } from "./commands.ts";
import type { FirewallFacts } from "./firewall.ts";
import type { NetworkFiles } from "./network-state.ts";
import type { Resolvers } from "./resolvers.ts";
import { formatAddress } from "./subnet.ts";

/** How long a container may keep an address without asking again. Deleted containers' addresses are free after it. */
const leaseSeconds = 600;
const startTimeoutMs = 10_000;
const stopTimeoutMs = 2000;
const pollMs = 5;

/** The domain of containers' names, which the world never uses (reserved by ICANN). */
export const containerDomain = "berth.internal";

export interface NameServerFacts extends FirewallFacts {
  readonly files: NetworkFiles;
  /** Number of the bridge: dnsmasq does not follow one that is made anew. */
  readonly bridgeIndex: number;
  /** Whom to ask for names of the outside; undefined: there is no outside. */
  readonly resolvers: Resolvers | undefined;
}

/**
 * Sees to it that exactly one dnsmasq with today's configuration runs in the namespace, in a session of its own, so that
 * it outlives the emulator. It is recognised by its configuration's path, which holds a hash of the contents: nobody can
 * die between starting it and writing down its pid.
 */
export async function raiseNameServer(facts: NameServerFacts): Promise<ProcessIdentity> {
  await writeHosts(facts);
  const text = configuration(facts);
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const path = join(facts.names.runtimeDir, `dnsmasq-${hash}.conf`);
  const namespace = statSync(facts.names.namespacePath).ino;
  const found = findNameServers(facts.names.runtimeDir);
  const fits = found.find((one) => one.configuration === path && one.namespace === namespace && one.answers);
  await Promise.all(found.filter((one) => one !== fits).map((one) => end(one.identity)));
  if (fits) {
    reloadNameServer(fits.identity);
    return fits.identity;
  }
  await writeFileAtomic(path, text, 0o644);
  return await start(facts, path);
}

/** Tells it of changed hosts, for which `writeHosts` was called before. */
export function reloadNameServer(identity: ProcessIdentity): void {
  signal(identity, "SIGHUP");
}

/** Which card has which address. */
export async function writeHosts({ names, state, subnet }: FirewallFacts): Promise<void> {
  const line = ({ mac, host }: { mac: string; host: number }) =>
    `${mac},${formatAddress(subnet.containers.first + host)}\n`;
  await writeFileAtomic(join(names.runtimeDir, "hosts"), state.cards.map(line).join(""), 0o644);
}

/** Ends all that run with a configuration in this folder. */
export async function endNameServers(runtimeDir: string): Promise<void> {
  await Promise.all(findNameServers(runtimeDir).map((one) => end(one.identity)));
}

function configuration({ names, subnet, files, bridgeIndex, resolvers }: NameServerFacts): string {
  const network = formatAddress(subnet.containers.first);
  return [
    `# Of bridge ${bridgeIndex}.`,
    `interface=${names.bridge}`,
    "except-interface=lo",
    // Follows the bridge's address when it is given anew.
    "bind-dynamic",
    "user=nobody",
    "pid-file=",
    "log-facility=-",
    "quiet-dhcp",
    "no-hosts",
    "no-poll",
    ...(resolvers ? [`resolv-file=${resolvers.path}`, "domain-needed"] : ["no-resolv", "address=/#/"]),
    `domain=${containerDomain}`,
    `local=/${containerDomain}/`,
    "expand-hosts",
    // Only cards that are known, always at the same address, whatever identity a client claims.
    `dhcp-range=${network},static,255.255.252.0,${leaseSeconds}`,
    `dhcp-hostsfile=${join(names.runtimeDir, "hosts")}`,
    `dhcp-leasefile=${files.leases}`,
    "dhcp-ignore-clid",
    "dhcp-authoritative",
    "no-ping",
    // Names with a meaning of their own, which no container may take.
    "dhcp-name-match=set:reserved,wpad",
    "dhcp-name-match=set:reserved,localhost",
    "dhcp-ignore-names=tag:reserved",
    "",
  ].join("\n");
}

async function start({ names, files }: NameServerFacts, path: string): Promise<ProcessIdentity> {
  await makePrivateDirectory(files.folder);
  const log = openSync(files.log, "w", 0o600);
  const argv = inside(names.namespacePath, ["dnsmasq", "--keep-in-foreground", `--conf-file=${path}`]);
  const [command = "", ...args] = argv;
  const child = spawn(command, args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: commandEnvironment,
    cwd: "/",
  });
  closeSync(log);
  await once(child, "spawn");
  child.unref();
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
    if (identity && listens(identity.pid)) return identity;
    await systemClock.sleep(pollMs);
  }
  child.kill("SIGKILL");
  const said = (await readFile(files.log, "utf8")).trim();
  throw new Error(`dnsmasq does not start: ${said || "it says nothing"} (${files.log})`);
}

interface FoundNameServer {
  readonly identity: ProcessIdentity;
  readonly configuration: string;
  /** Inode of its network namespace. */
  readonly namespace: number;
  readonly answers: boolean;
}

function findNameServers(runtimeDir: string): readonly FoundNameServer[] {
  const found: FoundNameServer[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      // Also `nsenter` on its way to becoming dnsmasq.
      const configuration = words.find((word) => word.startsWith(`--conf-file=${runtimeDir}/`))?.split("=")[1];
      const identity = configuration === undefined ? undefined : identifyProcess(pid);
      if (configuration === undefined || !identity) continue;
      const namespace = statSync(`/proc/${pid}/ns/net`).ino;
      found.push({ identity, configuration, namespace, answers: words[0] === "dnsmasq" && listens(pid) });
    } catch {
      // It ended between the calls.
    }
  }
  return found;
}

/** Whether anybody serves DHCP in the namespace of a process, which dnsmasq does when it is ready. */
function listens(pid: number): boolean {
  try {
    return /^\s*\d+: [0-9A-F]{8}:0043 /m.test(readFileSync(`/proc/${pid}/net/udp`, "latin1"));
  } catch {
    return false;
  }
}

async function end(identity: ProcessIdentity): Promise<void> {
  for (const request of ["SIGTERM", "SIGKILL"] as const) {
    signal(identity, request);
    const deadline = performance.now() + stopTimeoutMs;
    while (isRunning(identity) && performance.now() < deadline) await systemClock.sleep(pollMs);
  }
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}
