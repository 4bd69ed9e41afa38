import { dirname } from "node:path";
import { SerialQueue } from "@berth/base";
import { makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { parseJson, type TerminalRecord, terminalRegistrySchema } from "@berth/protocol";
import { Value } from "typebox/value";
import { guestPath, type Root } from "../root.ts";

/** What each terminal runs, on the sandbox's disk. It may hold secrets of the owner's, so the file is private. */
export class TerminalRegistry {
  readonly #path: string;
  readonly #writes = new SerialQueue();
  readonly #sandboxId: string;
  #terminals = new Map<string, TerminalRecord>();
  #ofAnother = false;

  constructor(root: Root, sandboxId: string) {
    this.#sandboxId = sandboxId;
    this.#path = guestPath(root, "terminalRegistry");
  }

  /** Reads the file; one that is missing or not valid counts as empty. */
  async load(): Promise<void> {
    const file = parseJson((await readTextIfExists(this.#path)) ?? "");
    if (!Value.Check(terminalRegistrySchema, file)) return;
    this.#terminals = new Map(Object.entries(file.terminals));
    this.#ofAnother = file.sandboxId !== undefined && file.sandboxId !== this.#sandboxId;
    // From now on it can be told, should this disk be copied.
    if (file.sandboxId === undefined) await this.#write();
  }

  /** Whether the terminals are those of the sandbox that this one is a copy of. */
  get isOfAnother(): boolean {
    return this.#ofAnother;
  }

  /** Forgets all of them; what comes is this sandbox's own. */
  async clear(): Promise<void> {
    this.#terminals.clear();
    await this.#write();
    this.#ofAnother = false;
  }

  /** Whether it knows no terminal at all. */
  get isEmpty(): boolean {
    return this.#terminals.size === 0;
  }

  /** The terminals that it knows. */
  get ids(): IterableIterator<string> {
    return this.#terminals.keys();
  }

  get(id: string): TerminalRecord | undefined {
    return this.#terminals.get(id);
  }

  /** Remembers a terminal; resolves when it is on disk. */
  async set(id: string, record: TerminalRecord): Promise<void> {
    this.#terminals.set(id, record);
    await this.#write();
  }

  /** Forgets a terminal; resolves when that is on disk. */
  async delete(id: string): Promise<void> {
    if (this.#terminals.delete(id)) await this.#write();
  }

  async #write(): Promise<void> {
    await this.#writes.run(async () => {
      await makePrivateDirectory(dirname(this.#path));
      const file = { version: 1, sandboxId: this.#sandboxId, terminals: Object.fromEntries(this.#terminals) };
      await writeFileAtomic(this.#path, JSON.stringify(file));
    });
  }
}
