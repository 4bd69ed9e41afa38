import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { sshKeyPair } from "@berth/base/node";
import { createKey, sandboxSsh, sshGateway } from "@berth/protocol";
import { temporaryDirectory } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { downloadMs, Echo, type SshWay, uploadMs } from "./ssh/clients.ts";
import { startJumpHost } from "./ssh/jump-host.ts";
import { median, medianRatio } from "./statistics.ts";
import { ownBerth } from "./whole-berth.ts";

const megabytes = 256;
const bulkBytes = megabytes * 1024 * 1024;
const keysPerRun = 300;

/** What one run gives, by either way. */
interface Round {
  readonly up: number;
  readonly down: number;
  readonly echo: number;
}

/** The SSH gateway beside a jump through OpenSSH's own server, with the same client to the same sandbox. */
export const ssh: Benchmark = {
  name: "ssh",
  about: `${megabytes} MiB each way and keys, through the SSH gateway and through a plain sshd (ssh -J)`,
  defaultRuns: 5,
  async run(context) {
    const ways = await prepareWays(context);
    const echoes = {
      gateway: await Echo.open(ways.gateway, context.scope),
      jump: await Echo.open(ways.jump, context.scope),
    };
    const rounds: Record<"gateway" | "jump", Round>[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      context.signal.throwIfAborted();
      const jump = await measure(ways.jump, echoes.jump);
      const gateway = await measure(ways.gateway, echoes.gateway);
      rounds.push({ gateway, jump });
      context.note(`gateway ${told(gateway)}; jump ${told(jump)}`);
    }
    return measurements(rounds);
  },
};

/** A sandbox, and how OpenSSH's client reaches it by either way with the same key. */
async function prepareWays(context: BenchContext): Promise<Record<"gateway" | "jump", SshWay>> {
  const { scope } = context;
  const berth = await ownBerth(context);
  await berth.start();
  const folder = await temporaryDirectory("berth-bench-ssh-");
  scope.add(() => folder.dispose());
  const path = (name: string) => join(folder.path, name);
  const pair = sshKeyPair(randomBytes(32), "bench");
  await writeFile(path("id"), pair.privateKey, { mode: 0o600 });
  await berth.client.call(createKey, { body: { publicKey: pair.publicKey } });
  const sandbox = await berth.readySandbox({ name: "bench" });
  const gateway = await berth.client.call(sshGateway, {});
  const direct = await berth.client.call(sandboxSsh, { params: { id: sandbox.id } });
  const jump = await startJumpHost(scope, folder.path, pair.publicKey);
  await writeFile(path("known_hosts"), `${gateway.gatewayKnownHosts}\n${jump.knownHosts}\n${direct.knownHosts}\n`);
  const { username } = userInfo();
  const config = [
    "Host gateway",
    `  HostName 127.0.0.1\n  Port ${gateway.port}\n  User bench`,
    "Host jump",
    `  HostName 127.0.0.1\n  Port ${jump.port}\n  User ${username}`,
    "Host direct",
    `  HostName ${direct.address}\n  Port ${direct.port}\n  User ${direct.user}\n  ProxyJump jump`,
    "Host *",
    `  IdentityFile ${path("id")}`,
    `  UserKnownHostsFile ${path("known_hosts")}`,
    "  GlobalKnownHostsFile /dev/null",
    "  IdentitiesOnly yes\n  IdentityAgent none\n  BatchMode yes\n  StrictHostKeyChecking yes\n  LogLevel ERROR",
  ];
  await writeFile(path("config"), `${config.join("\n")}\n`);
  const way = (host: string): SshWay => ({ args: ["-F", path("config"), host] });
  return { gateway: way("gateway"), jump: way("direct") };
}

async function measure(way: SshWay, echo: Echo): Promise<Round> {
  const keys: number[] = [];
  for (let key = 0; key < keysPerRun; key += 1) keys.push(await echo.ms());
  const speed = (ms: number) => bulkBytes / 1000 / ms;
  return {
    up: speed(await uploadMs(way, bulkBytes)),
    down: speed(await downloadMs(way, bulkBytes)),
    echo: median(keys),
  };
}

function told({ up, down, echo }: Round): string {
  return `${up.toFixed(0)} MB/s up, ${down.toFixed(0)} MB/s down, ${echo.toFixed(2)} ms a key`;
}

function measurements(rounds: readonly Record<"gateway" | "jump", Round>[]): Measurement[] {
  const compared = (figure: keyof Round) => ({
    value: median(rounds.map(({ gateway }) => gateway[figure])),
    floor: median(rounds.map(({ jump }) => jump[figure])),
    ratio: medianRatio(rounds.map(({ gateway, jump }) => ({ value: gateway[figure], floor: jump[figure] }))),
    details: {
      runs: rounds.map(({ gateway }) => gateway[figure]),
      floor: rounds.map(({ jump }) => jump[figure]),
    },
  });
  return [
    { name: "into the sandbox", unit: "MB/s", ...compared("up"), goal: { kind: "ratio", atLeast: 0.5 } },
    { name: "out of the sandbox", unit: "MB/s", ...compared("down"), goal: { kind: "ratio", atLeast: 0.5 } },
    { name: "echo of a key, p50", unit: "ms", ...compared("echo"), goal: { kind: "ratio", atMost: 1.5 } },
  ];
}
