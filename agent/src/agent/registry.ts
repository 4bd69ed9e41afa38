import { dirname, join } from "node:path";
import { SerialQueue } from "@berth/base";
import { makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { conversationIdSchema, environmentSchema, parseJson } from "@berth/protocol";
import { terminalKindSchema } from "@berth/protocol/link";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { Root } from "../root.ts";

const recordSchema = Type.Object({
  kind: terminalKindSchema,
  argv: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  cwd: Type.Optional(Type.String()),
  env: environmentSchema,
  conversationId: Type.Optional(conversationIdSchema),
});
/** How a terminal was asked for: what it takes to start it anew. */
export type TerminalRecord = Static<typeof recordSchema>;

const fileSchema = Type.Object({ version: Type.Literal(1), terminals: Type.Record(Type.String(), recordSchema) });

/** What each terminal runs, on the sandbox's disk. It may hold secrets of the owner's, so the file is private. */
export class TerminalRegistry {
  readonly #path: string;
  readonly #writes = new SerialQueue();
  #terminals = new Map<string, TerminalRecord>();

  constructor(root: Root) {
    this.#path = join(root.path, "var/lib/berth/agent/terminals.json");
  }

  /** Reads the file; one that is missing or not valid counts as empty. */
  async load(): Promise<void> {
    const file = parseJson((await readTextIfExists(this.#path)) ?? "");
    this.#terminals = new Map(Value.Check(fileSchema, file) ? Object.entries(file.terminals) : []);
  }

  /** Whether it knows no terminal at all. */
  get isEmpty(): boolean {
    return this.#terminals.size === 0;
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
      const file = { version: 1, terminals: Object.fromEntries(this.#terminals) };
      await writeFileAtomic(this.#path, JSON.stringify(file));
    });
  }
}
