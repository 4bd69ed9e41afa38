import {
  BerthError,
  type OutputPosition,
  type ScreenWaitParams,
  screenWait,
  terminalInput,
  terminalScreen,
} from "@berth/protocol";
import type { FastifyReply } from "fastify";
import type { Api } from "../http/api.ts";
import { goneOf } from "../http/gone.ts";
import { mount, mountOnce } from "../http/mount.ts";
import type { Sleepers } from "../sleep/waking.ts";
import { asBerthError, type TerminalKeeper } from "./keeper.ts";
import type { Terminals } from "./repository.ts";
import { awaitScreen, type WaitEnds } from "./screen-wait.ts";

export interface ScriptRouteDependencies {
  keeper: TerminalKeeper;
  terminals: Pick<Terminals, "own">;
  sleepers: Pick<Sleepers, "hold">;
}

/** What scripts do with a terminal: type, look, and wait for what they want to see. */
export function scriptRoutes(api: Api, { keeper, terminals, sleepers }: ScriptRouteDependencies): void {
  const wait = async (sandboxId: string, params: ScreenWaitParams, reply: FastifyReply) => {
    const release = sleepers.hold(sandboxId, "call");
    try {
      return await awaitScreen(await keeper.linkTo(sandboxId, goneOf(reply)), params, endsOf(api, reply));
    } finally {
      release();
    }
  };

  mountOnce(
    api,
    terminalInput,
    async ({ params, query, body, caller }): Promise<OutputPosition | null> => {
      const row = await terminals.own(params.id, caller.user.id);
      // A query that makes no sense types nothing.
      screenWait(row.id, query);
      const { text = "", keys = [], submit = false } = body;
      if (body.text === undefined && keys.length === 0 && !submit) {
        throw new BerthError("invalid_request", "There is nothing to type.", {
          hint: "Send text, keys, or submit.",
          fields: { text: "is required without keys and submit" },
        });
      }
      await keeper.made(row.id);
      const input = { id: row.id, text, submit, ...(keys.length > 0 ? { keys } : {}) };
      const link = await keeper.linkTo(row.sandbox_id);
      return asBerthError(link.call("input", input));
    },
    async ({ params, query, caller, reply }, position) => {
      const asked = screenWait(params.id, query);
      if (!asked) return undefined;
      const row = await terminals.own(params.id, caller.user.id);
      // What was there before it was typed is not what came of it.
      const since = "text" in asked.condition && position ? { since: asked.since ?? position } : {};
      return wait(row.sandbox_id, { ...asked, ...since }, reply);
    },
    async ({ params, caller, reply }) => {
      const row = await terminals.own(params.id, caller.user.id);
      await keeper.linkTo(row.sandbox_id, goneOf(reply));
    },
  );

  mount(api, terminalScreen, async ({ params, query, caller, reply }) => {
    const row = await terminals.own(params.id, caller.user.id);
    const asked = screenWait(row.id, query);
    await keeper.made(row.id);
    if (asked) return wait(row.sandbox_id, asked, reply);
    const link = await keeper.linkTo(row.sandbox_id, goneOf(reply));
    return asBerthError(link.call("screen", { id: row.id }));
  });
}

function endsOf(api: Api, reply: FastifyReply): WaitEnds {
  return { gone: goneOf(reply), closing: api.closing };
}
