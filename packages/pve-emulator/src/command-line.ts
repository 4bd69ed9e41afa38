import { parseArgs } from "node:util";
import type { BackendChoice } from "./backend/choice.ts";

export const usage = `usage: emulator --port P --data DIR [--backend auto|lxc|process] [--isolated]

Runs a small Proxmox VE with template 150 in it, and prints one line of JSON once everything answers.

  --port P       port on 127.0.0.1; 0 for any free one
  --data DIR     keeps everything; the same folder restores the same state
  --backend B    what containers are: lxc (real ones; needs root and the package lxc), process (processes of this
                 machine, with no walls between them; needs no privileges), or auto: lxc where the machine can,
                 process otherwise; a folder keeps what it was made with; default auto
  --isolated     containers get no way to the outside
  --help         shows this
`;

export interface CommandLine {
  readonly port: number;
  readonly dataDir: string;
  readonly backend: BackendChoice;
  readonly isolated: boolean;
}

/** Reads the arguments; answers `help`, or throws an error of one sentence. */
export function parseCommandLine(args: readonly string[]): CommandLine | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string" },
      data: { type: "string" },
      backend: { type: "string", default: "auto" },
      isolated: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { port, data, backend, isolated, help } = values;
  if (help) return "help";
  if (port === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new Error("--port needs a port from 0 to 65535 (0 for any free one)");
  }
  if (data === undefined || data === "") throw new Error("--data needs a folder");
  if (backend !== "auto" && backend !== "process" && backend !== "lxc") {
    throw new Error("--backend is auto, lxc or process");
  }
  return { port: Number(port), dataDir: data, backend, isolated };
}
