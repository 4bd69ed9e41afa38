import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guestPaths } from "@berth/protocol";
import { type CloseReason, programsChannelKind } from "@berth/protocol/link";
import type { AgentLink } from "./controller.ts";
import { endProgram } from "./pty-host.ts";

const built = join(import.meta.dirname, "../../dist");
const modules = join(import.meta.dirname, "../../../node_modules");
const programs = ["launch.mjs", "agent.mjs", "pty-host.mjs", "version"];
const restartMs = 50;

/** Lays out the programs as they were built, below a folder that stands for a container's root. */
export function installPrograms(root: string): void {
  const folder = join(root, guestPaths.programs);
  mkdirSync(folder, { recursive: true });
  for (const name of programs) cpSync(join(built, name), join(folder, name));
  symlinkSync(modules, join(folder, "node_modules"));
}

/** A program that is started by way of the launcher, and again whenever it ends. */
export class Supervised {
  readonly #command: readonly string[];
  readonly #root: string;
  #child: ChildProcess;
  #stopped = false;
  #restart: NodeJS.Timeout | undefined;
  /** Its present process's, and how often it was started. */
  starts = 0;

  constructor(role: "agent" | "pty-host", root: string) {
    this.#root = root;
    this.#command = [join(root, guestPaths.programs, "launch.mjs"), role];
    this.#child = this.#start();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    await endProgram(this.#child);
  }

  #start(): ChildProcess {
    this.starts += 1;
    const child = spawn(process.execPath, this.#command, {
      env: { PATH: process.env.PATH, BERTH_ROOT: this.#root },
      stdio: ["ignore", "ignore", process.env.BERTH_TEST_LOG ? "inherit" : "ignore"],
    });
    child.once("exit", () => {
      if (this.#stopped) return;
      this.#restart = setTimeout(() => {
        this.#child = this.#start();
      }, restartMs);
    });
    return child;
  }
}

/** What of the built programs an update has otherwise; a text is put before the program's own. */
export interface UpdateChanges {
  readonly version: string;
  readonly agent?: (source: string) => string;
  readonly ptyHost?: (source: string) => string;
}

/** An update of the programs as a controller sends it. */
export function updateArchive({ version, agent, ptyHost }: UpdateChanges): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "berth-update-"));
  try {
    const changed = (name: string, change = (source: string) => source) =>
      writeFileSync(join(folder, name), change(readFileSync(join(built, name), "utf8")));
    changed("agent.mjs", agent);
    changed("pty-host.mjs", ptyHost);
    writeFileSync(join(folder, "version"), `${version}\n`);
    symlinkSync(modules, join(folder, "node_modules"));
    return execFileSync("tar", ["--create", "--gzip", `--directory=${folder}`, "."]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Announces an update over a link, and sends that or something else; answers how the agent closed the channel. */
export function sendUpdate(
  { multiplexer }: AgentLink,
  version: string,
  archive: Buffer,
  sent = archive,
): Promise<CloseReason> {
  const sha256 = createHash("sha256").update(archive).digest("hex");
  const channel = multiplexer.open(programsChannelKind, { version, bytes: archive.byteLength, sha256 });
  return new Promise((resolve) => {
    let at = 0;
    const send = () => {
      for (; at < sent.byteLength && channel.creditBytes > 0; at += 65_536)
        channel.send(sent.subarray(at, at + 65_536));
    };
    channel.handle({ onCredit: send, onClose: resolve });
    send();
  });
}
