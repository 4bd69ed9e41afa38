import type { AttachQuery } from "@berth/protocol";
import { attachParams } from "@berth/protocol";
import type { AttachSocket, SocketEvents } from "@berth/protocol/viewer";
import type { Kysely } from "kysely";
import type { EventLog } from "../events/log.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sleepers } from "../sleep/waking.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import { addTerminal } from "./add.ts";
import type { TerminalKeeper } from "./keeper.ts";
import { serveViewer, type ViewerDependencies } from "./viewer.ts";
import { LocalViewerSocket } from "./viewer-socket.ts";

export interface ClaudeTerminalsDependencies {
  db: Kysely<Database>;
  events: EventLog;
  keeper: TerminalKeeper;
  registry: ViewerDependencies["registry"];
  sleepers: Sleepers;
}

/** The Claude of a sandbox, for those who ask for it without knowing its terminal. */
export class ClaudeTerminals {
  readonly #deps: ClaudeTerminalsDependencies;

  constructor(dependencies: ClaudeTerminalsDependencies) {
    this.#deps = dependencies;
  }

  /** The id of the terminal in which the sandbox's Claude runs: the newest of them, or a new one of this size. */
  async running(
    { id, owner_id }: Pick<SandboxRow, "id" | "owner_id">,
    size: { cols: number; rows: number },
  ): Promise<string> {
    const { db, events, keeper } = this.#deps;
    const row = await inTransaction(db, async (work) => {
      // One at a time, so that two who come at once get the same one.
      await work.trx.selectFrom("sandboxes").select("id").where("id", "=", id).forUpdate().execute();
      const found = await work.trx
        .selectFrom("terminals")
        .select("id")
        .where("sandbox_id", "=", id)
        .where("kind", "=", "claude")
        .where("state", "in", ["starting", "running"])
        .where("removed", "=", false)
        .orderBy("created_at", "desc")
        .executeTakeFirst();
      if (found) return found;
      const made = await addTerminal(work, events, { ownerId: owner_id, sandboxId: id, kind: "claude", ...size });
      work.afterCommit(() => void keeper.ensure(made));
      return made;
    });
    return row.id;
  }

  /** Opens a viewer's connection to a terminal, the same that a browser's WebSocket would be. */
  open(sandboxId: string, terminalId: string, viewer: AttachQuery, events: SocketEvents): AttachSocket {
    const { registry, keeper, sleepers } = this.#deps;
    const socket = new LocalViewerSocket(events);
    const hold = (id: string) => sleepers.hold(id, "viewer");
    const made = (id: string) => keeper.made(id);
    void serveViewer(socket, { registry, made, sleepers, hold }, sandboxId, attachParams(terminalId, viewer));
    return socket.viewer;
  }
}
