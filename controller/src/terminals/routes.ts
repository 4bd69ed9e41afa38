import {
  attachParams,
  attachTerminal,
  BerthError,
  createTerminal,
  deleteTerminal,
  getTerminal,
  listTerminals,
  terminalRecording,
} from "@berth/protocol";
import type { AgentRegistry } from "../agents/registry.ts";
import type { EventLog } from "../events/log.ts";
import type { Api } from "../http/api.ts";
import type { UnitOfWork } from "../http/context.ts";
import { mountDownload } from "../http/download.ts";
import { goneOf } from "../http/gone.ts";
import { type MountedInput, mount, mountTransactional } from "../http/mount.ts";
import { page } from "../http/page.ts";
import { mountWebSocket } from "../http/websocket.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { Guests } from "../shares/guests.ts";
import type { AwaitReady, Sleepers } from "../sleep/waking.ts";
import { addTerminal } from "./add.ts";
import type { TerminalKeeper } from "./keeper.ts";
import { RecordingReads } from "./recording.ts";
import { presentTerminal, type Terminals } from "./repository.ts";
import { scriptRoutes } from "./script-routes.ts";
import { serveViewer } from "./viewer.ts";

export interface TerminalRouteDependencies {
  terminals: Terminals;
  keeper: TerminalKeeper;
  registry: AgentRegistry;
  lookup: SandboxLookup;
  events: EventLog;
  guests: Pick<Guests, "cutTerminal">;
  /** Wakes a sandbox that sleeps. */
  awaitReady: AwaitReady;
  sleepers: Sleepers;
  /** Whether terminals are recorded. */
  recording: boolean;
}

export function terminalRoutes(api: Api, deps: TerminalRouteDependencies): void {
  const { terminals, keeper, lookup } = deps;
  const own = (id: string, userId: string) => terminals.own(id, userId);

  mount(api, listTerminals, async ({ params, query, caller }) => {
    const sandbox = await lookup.own(params.id, caller.user.id);
    const rows = (await terminals.ofSandbox(sandbox.id)).filter((row) => !row.removed);
    return page(rows, query, (row) => row.id, presentTerminal);
  });

  const createOne = async ({ params, body, caller }: MountedInput<typeof createTerminal>, work: UnitOfWork) => {
    const sandbox = await lookup.own(params.id, caller.user.id, work.trx);
    if (sandbox.state !== "ready") {
      throw new BerthError("sandbox_not_ready", `The sandbox "${sandbox.name}" is ${sandbox.state}.`, {
        hint: sandbox.state === "stopped" ? "Start it first." : "Wait until its state is ready.",
      });
    }
    const row = await addTerminal(work, deps.events, { ...body, ownerId: caller.user.id, sandboxId: sandbox.id });
    // The answer does not wait for the agent; whoever comes with the terminal's id does.
    work.afterCommit(() => void keeper.ensure(row));
    return presentTerminal(row);
  };
  mountTransactional(api, createTerminal, createOne, async ({ params, body, caller, reply }) => {
    checkKind(body);
    const { id } = await lookup.own(params.id, caller.user.id);
    await deps.awaitReady(id, { signal: goneOf(reply) });
  });

  mount(api, getTerminal, async ({ params, caller }) =>
    presentTerminal(await keeper.fresh(await own(params.id, caller.user.id))),
  );

  mount(api, deleteTerminal, async ({ params, caller }) => {
    const row = await own(params.id, caller.user.id);
    await deps.events.transaction(async (trx) => {
      await trx.updateTable("terminals").set({ removed: true }).where("id", "=", row.id).execute();
      await trx.deleteFrom("shares").where("terminal_id", "=", row.id).execute();
      await deps.events.append(trx, {
        ownerId: row.owner_id,
        sandboxId: row.sandbox_id,
        type: "deleted",
        data: { kind: "terminal", id: row.id },
      });
    });
    deps.guests.cutTerminal(row.id);
    await keeper.remove(row);
    return undefined;
  });

  scriptRoutes(api, deps);

  const recordings = new RecordingReads();
  mountDownload(api, terminalRecording, async ({ params, query, caller, signal }) => {
    const row = await own(params.id, caller.user.id);
    if (!deps.recording) {
      const hint = "Set BERTH_RECORDING=on to have terminals recorded from then on.";
      throw new BerthError("not_found", "Terminals are not recorded.", { hint });
    }
    const { name } = await lookup.own(row.sandbox_id, caller.user.id);
    await keeper.made(row.id);
    const wanted = { terminalId: row.id, ...(query.epoch === undefined ? {} : { epoch: query.epoch }) };
    const body = await recordings.open(await keeper.linkTo(row.sandbox_id, signal), wanted, signal);
    const begun = row.created_at.toISOString().slice(0, 16).replaceAll(":", "-");
    return { fileName: `${name}-${row.kind}-${begun}.cast`, body };
  });

  const viewing = {
    ...deps,
    made: (id: string) => keeper.made(id),
    hold: (id: string) => deps.sleepers.hold(id, "viewer"),
  };
  mountWebSocket(api, attachTerminal, {
    authorise: async ({ params, query, caller }) => {
      const row = await own(params.id, caller.user.id);
      return { sandboxId: row.sandbox_id, params: attachParams(row.id, query) };
    },
    connected: (socket, { sandboxId, params }) => void serveViewer(socket, viewing, sandboxId, params),
  });
}

function checkKind(body: { kind: string; argv?: string[]; resume?: string }): void {
  if (body.kind === "exec" && !body.argv) {
    throw new BerthError("invalid_request", "A terminal of kind exec needs argv.", { fields: { argv: "is missing" } });
  }
  if (body.kind !== "exec" && body.argv) {
    throw new BerthError("invalid_request", "Only a terminal of kind exec takes argv.", {
      fields: { argv: "is not wanted" },
    });
  }
  if (body.kind !== "claude" && body.resume) {
    throw new BerthError("invalid_request", "Only a terminal of kind claude resumes.", {
      fields: { resume: "is not wanted" },
    });
  }
}
