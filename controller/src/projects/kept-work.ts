import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BerthError, type KeptPart, type KeptWork, keptParts, newId } from "@berth/protocol";
import type { Kysely, Selectable } from "kysely";
import { page } from "../http/page.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Database, KeptWorkTable } from "../store/tables.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { bundleScript, bundlesScript, patchScript, untrackedScript } from "./unsaved-scripts.ts";

export type KeptWorkRow = Selectable<KeptWorkTable>;

export interface KeptWorksDependencies {
  readonly db: Kysely<Database>;
  readonly dataDir: string;
  /** 0: nothing is kept. */
  readonly days: number;
  now(): number;
}

/** What each part is made by, how long it may be, and what it is called. */
const makings: Readonly<Record<KeptPart, { script: string; maxBytes: number; fileName: string; what: string }>> = {
  bundle: { script: bundleScript, maxBytes: 2 * 1024 ** 3, fileName: "commits.bundle", what: "the commits" },
  bundles: {
    script: bundlesScript,
    maxBytes: 2 * 1024 ** 3,
    fileName: "bundles.tar",
    what: "the commits of repositories in its folders",
  },
  patch: { script: patchScript, maxBytes: 512 * 1024 ** 2, fileName: "changes.patch", what: "the uncommitted changes" },
  untracked: { script: untrackedScript, maxBytes: 1024 ** 3, fileName: "untracked.tar", what: "the untracked files" },
};
const partMs = 5 * 60_000;
const dayMs = 24 * 60 * 60_000;

/** Copies of unsaved work of sandboxes that were destroyed, each a folder below `kept` in the data directory. */
export class KeptWorks {
  readonly #deps: KeptWorksDependencies;
  readonly #folder: string;

  constructor(dependencies: KeptWorksDependencies) {
    this.#deps = dependencies;
    this.#folder = join(dependencies.dataDir, "kept");
  }

  /**
   * Copies what is unsaved in a sandbox, part by part: one that cannot be had is told of, and keeps no other from being
   * kept. Answers what there is; undefined: nothing, or nothing is to be kept.
   */
  async keep(
    row: SandboxRow,
    url: string | null,
    repository: SandboxRepository,
    signal?: AbortSignal,
  ): Promise<KeptWork | undefined> {
    const { days, db, now } = this.#deps;
    if (days === 0) return undefined;
    const id = newId("keptWork");
    const folder = join(this.#folder, id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const parts: KeptWork["parts"] = [];
    const missing: string[] = [];
    for (const part of keptParts) {
      try {
        const bytes = await copyPart(folder, part, repository, signal);
        if (bytes > 0) parts.push({ part, bytes });
      } catch (error) {
        signal?.throwIfAborted();
        missing.push(
          `${makings[part].what}: ${error instanceof Error ? error.message : "unknown error"}`.slice(0, 500),
        );
      }
    }
    if (parts.length === 0 && missing.length === 0) {
      await rm(folder, { recursive: true, force: true });
      return undefined;
    }
    const kept = await db
      .insertInto("kept_work")
      .values({
        ...{ id, owner_id: row.owner_id, sandbox_id: row.id, sandbox_name: row.name, url },
        parts: JSON.stringify(parts),
        missing: missing.length === 0 ? null : missing.join("; "),
        created_at: new Date(now()),
        expires_at: new Date(now() + days * dayMs),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return presentKeptWork(kept);
  }

  /** The newest first. */
  async page(ownerId: string, query: { limit?: number; cursor?: string }) {
    const list = this.#deps.db.selectFrom("kept_work").selectAll().where("owner_id", "=", ownerId);
    const rows = await list.orderBy("created_at", "desc").orderBy("id", "desc").execute();
    return page(rows, query, ({ id }) => id, presentKeptWork);
  }

  /** A part as it is on disk. Throws `not_found`. */
  async open(id: string, part: KeptPart, ownerId: string): Promise<{ fileName: string; body: AsyncIterable<Buffer> }> {
    const row = await this.#own(id, ownerId);
    const file = await open(join(this.#folder, id, makings[part].fileName), "r").catch(() => undefined);
    if (!file) throw new BerthError("not_found", `Nothing was kept of ${makings[part].what}.`);
    return { fileName: `${row.sandbox_name}-${makings[part].fileName}`, body: contents(file) };
  }

  async remove(id: string, ownerId: string): Promise<void> {
    await this.#own(id, ownerId);
    await this.#deps.db.deleteFrom("kept_work").where("id", "=", id).execute();
    await rm(join(this.#folder, id), { recursive: true, force: true });
  }

  /** Deletes what has had its time, and folders of copies that never came to their end. Answers how many went. */
  async prune(): Promise<number> {
    const { db, now } = this.#deps;
    const gone = await db.deleteFrom("kept_work").where("expires_at", "<=", new Date(now())).returning("id").execute();
    for (const { id } of gone) await rm(join(this.#folder, id), { recursive: true, force: true });
    const known = new Set((await db.selectFrom("kept_work").select("id").execute()).map(({ id }) => id));
    let orphans = 0;
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const path = join(this.#folder, name);
      const changedAt = (await stat(path).catch(() => undefined))?.mtimeMs ?? now();
      if (known.has(name) || now() - changedAt < dayMs) continue;
      await rm(path, { recursive: true, force: true });
      orphans += 1;
    }
    return gone.length + orphans;
  }

  async #own(id: string, ownerId: string): Promise<KeptWorkRow> {
    const query = this.#deps.db
      .selectFrom("kept_work")
      .selectAll()
      .where("id", "=", id)
      .where("owner_id", "=", ownerId);
    const row = await query.executeTakeFirst();
    if (!row) throw new BerthError("not_found", `There is no kept work ${id}.`);
    return row;
  }
}

/** Answers the bytes of the part; what is empty is no part. */
async function copyPart(
  folder: string,
  part: KeptPart,
  repository: SandboxRepository,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { script, maxBytes, fileName } = makings[part];
  const path = join(folder, fileName);
  const file = await open(path, "wx", 0o600);
  try {
    await repository.run({ script, into: file, maxOutputBytes: maxBytes, timeoutMs: partMs, signal });
    await file.sync();
    const { size } = await file.stat();
    if (size === 0) await rm(path, { force: true });
    return size;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

function contents(file: FileHandle): AsyncIterable<Buffer> {
  return createReadStream("", { fd: file });
}

function presentKeptWork(row: KeptWorkRow): KeptWork {
  return {
    id: row.id,
    sandboxId: row.sandbox_id,
    sandboxName: row.sandbox_name,
    url: row.url,
    parts: row.parts,
    missing: row.missing,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
  };
}
