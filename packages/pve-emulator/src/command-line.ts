import { parseArgs } from "node:util";
import type { BackendChoice } from "./backend/choice.ts";
import { type ClusterOptions, clusterOf } from "./cluster/cluster.ts";

export const usage = `usage: emulator --port P --data DIR [--backend auto|lxc|process] [--nodes N] [--isolated]

Runs a small Proxmox VE with template 150 in it, and prints one line of JSON once everything answers.

  --port P       port on 127.0.0.1; 0 for any free one
  --data DIR     keeps everything; the same folder restores the same state
  --backend B    what containers are: lxc (real ones; needs root and the package lxc), process (processes of this
                 machine, with no walls between them; needs no privileges), or auto: lxc where the machine can,
                 process otherwise; a folder keeps what it was made with; default auto
  --nodes N      so many hosts in one cluster, pve1 to pveN, all on this machine: each with an address and a local storage
                 of its own, and a shared one; default: one host called pve
  --isolated     containers get no way to the outside
  --help         shows this
`;

export interface CommandLine {
  readonly port: number;
  readonly dataDir: string;
  readonly backend: BackendChoice;
  readonly isolated: boolean;
  /** Undefined: one host that is no part of a cluster. */
  readonly cluster: ClusterOptions | undefined;
}

/** Reads the arguments; answers `help`, or throws an error of one sentence. */
export function parseCommandLine(args: readonly string[]): CommandLine | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string" },
      data: { type: "string" },
      backend: { type: "string", default: "auto" },
      nodes: { type: "string" },
      isolated: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { port, data, backend, nodes, isolated, help } = values;
  if (help) return "help";
  if (port === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new Error("--port needs a port from 0 to 65535 (0 for any free one)");
  }
  if (data === undefined || data === "") throw new Error("--data needs a folder");
  if (backend !== "auto" && backend !== "process" && backend !== "lxc") {
    throw new Error("--backend is auto, lxc or process");
  }
  if (nodes !== undefined && !/^[1-9]$|^1\d$/.test(nodes)) throw new Error("--nodes needs a number from 1 to 19");
  const cluster = nodes === undefined ? undefined : clusterOf(Number(nodes));
  return { port: Number(port), dataDir: data, backend, isolated, cluster };
}
