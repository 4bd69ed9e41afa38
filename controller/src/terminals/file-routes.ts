import { BerthError, dropFile } from "@berth/protocol";
import { fileWriteChannelKind } from "@berth/protocol/link";
import type { FastifyBaseLogger } from "fastify";
import { sendFile } from "../files/send-file.ts";
import type { Api } from "../http/api.ts";
import { mountUpload } from "../http/upload.ts";
import type { TerminalKeeper } from "./keeper.ts";
import { quotedPath } from "./quoted-path.ts";
import type { TerminalRow, Terminals } from "./repository.ts";

export interface TerminalFileRouteDependencies {
  terminals: Terminals;
  keeper: TerminalKeeper;
}

/** Files that are dropped on a terminal. */
export function terminalFileRoutes(api: Api, { terminals, keeper }: TerminalFileRouteDependencies): void {
  mountUpload(api, dropFile, async ({ params, query, caller, request }, file) => {
    const row = await terminals.own(params.id, caller.user.id);
    if (query.type && row.state === "exited") {
      throw new BerthError("conflict", "The terminal's program has ended, so no path can be typed into it.", {
        hint: "Start it again, or open another terminal.",
      });
    }
    await keeper.made(row.id);
    const asked = { place: "dropped", name: query.name, maxBytes: dropFile.upload.maxBytes } as const;
    const link = await keeper.linkTo(row.sandbox_id);
    const written = await sendFile(link.openChannel(fileWriteChannelKind, asked), file);
    const typed = query.type === true && (await typePath(keeper, row, written.path, request.log));
    return { ...written, typed };
  });
}

/** Types a path for its user, who goes on behind it. The file is there in any case, so a failure is just told. */
async function typePath(
  keeper: TerminalKeeper,
  row: TerminalRow,
  path: string,
  log: FastifyBaseLogger,
): Promise<boolean> {
  try {
    const link = await keeper.linkTo(row.sandbox_id);
    const type = (text: string, paste: boolean) => link.call("input", { id: row.id, text, submit: false, paste });
    await type(quotedPath(path), true);
    // Not pasted with it: Claude puts an image in the path's place, and would swallow the space.
    await type(" ", false);
    return true;
  } catch (error) {
    log.info({ sandboxId: row.sandbox_id, terminalId: row.id, err: error }, "a file's path was not typed");
    return false;
  }
}
