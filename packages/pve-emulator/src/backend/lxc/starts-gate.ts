import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { writeFileAtomic } from "@berth/base/node";
import { run } from "./command.ts";
import { quote } from "./start-script.ts";

/** How long the last start of an emulator that was killed may take. */
const waitSeconds = 60;

/**
 * Keeps the starts of an emulator that was killed from happening unnoticed under its successor: a start holds a shared
 * lock until its container runs, and begins only if its emulator is still the last one that came.
 */
export class StartsGate {
  readonly #lock: string;
  readonly #owner: string;
  readonly #token = randomBytes(8).toString("hex");

  constructor(dataDir: string) {
    this.#lock = join(dataDir, "starts.lock");
    this.#owner = join(dataDir, "starts.owner");
  }

  /** Makes this emulator the last one; resolves when no start of an earlier one goes on. */
  async take(): Promise<void> {
    await writeFileAtomic(this.#owner, this.#token);
    await run("flock", ["-x", "-w", String(waitSeconds), this.#lock, "true"]);
  }

  /** Shell commands that begin a start. The lock ends with the last process that has its descriptor open. */
  get commands(): string {
    return `
exec 9>>${quote(this.#lock)}
flock -s -w ${waitSeconds} 9
[ "$(cat ${quote(this.#owner)})" = ${this.#token} ] || { echo "another emulator has taken over" >&2; exit 75; }
`;
  }
}
