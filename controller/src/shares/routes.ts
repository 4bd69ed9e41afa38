import {
  attachParams,
  attachShare,
  BerthError,
  createShare,
  deleteShare,
  getShare,
  listShares,
  openShare,
  sharePagePath,
} from "@berth/protocol";
import type { WebSocket } from "ws";
import { plainAddress } from "../http/addresses.ts";
import type { Api } from "../http/api.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import { page } from "../http/page.ts";
import { mountWebSocket } from "../http/websocket.ts";
import type { Terminals } from "../terminals/repository.ts";
import { serveViewer, type ViewerDependencies } from "../terminals/viewer.ts";
import { GuestAccess } from "./access.ts";
import { cut, type Guests } from "./guests.ts";
import { type OpenedShare, presentShare, type Shares } from "./repository.ts";

export interface ShareRouteDependencies extends ViewerDependencies {
  shares: Shares;
  guests: Guests;
  terminals: Pick<Terminals, "own">;
}

/** Shares of a terminal: what their owner does with them, and what guests do by them. */
export function shareRoutes(api: Api, deps: ShareRouteDependencies): void {
  ownersRoutes(api, deps);
  guestsRoutes(api, deps);
}

function ownersRoutes(api: Api, { shares, guests, terminals }: ShareRouteDependencies): void {
  mountTransactional(api, createShare, async ({ params, body, caller, request }, { trx }) => {
    const terminal = await terminals.own(params.id, caller.user.id, trx);
    const { share, token } = await shares.create(trx, { id: terminal.id, ownerId: caller.user.id }, body);
    return { ...share, url: `${api.address.originFor(request.headers.host)}${sharePagePath}#${token}` };
  });

  mount(api, listShares, async ({ params, query, caller }) => {
    const terminal = await terminals.own(params.id, caller.user.id);
    const rows = await shares.ofTerminal(terminal.id);
    return page(
      rows,
      query,
      (row) => row.id,
      (row) => presentShare(row, guests.count(row.id)),
    );
  });

  mountTransactional(api, deleteShare, async ({ params, caller }, { trx, afterCommit }) => {
    const terminal = await terminals.own(params.id, caller.user.id, trx);
    await shares.revoke(trx, terminal.id, params.shareId);
    afterCommit(() => guests.cutShare(params.shareId, "share_revoked", "Its owner has withdrawn this link."));
    return undefined;
  });
}

function guestsRoutes(api: Api, deps: ShareRouteDependencies): void {
  const { shares, guests } = deps;
  const access = new GuestAccess(api, shares);

  mount(api, openShare, async ({ body, request, reply }) => {
    const share = await access.open(body.token, request, reply);
    await shares.used(share.shareId, plainAddress(request.ip));
    return share.facts;
  });

  mount(api, getShare, async ({ params, request, reply }) => (await access.require(params.id, request, reply)).facts);

  mountWebSocket(api, attachShare, {
    authorise: async ({ params, query, request, reply }) => {
      const share = await access.require(params.id, request, reply);
      guests.requireRoom(share.shareId, share.terminalId);
      await shares.used(share.shareId, plainAddress(request.ip));
      const again = () => access.require(params.id, request, reply);
      return { share, params: attachParams(share.terminalId, query, true), again };
    },
    connected: (socket, { share, params, again }) => {
      void admit(socket, guests, share, again).then((admitted) => {
        if (admitted) void serveViewer(socket, deps, share.sandboxId, params);
      });
    },
  });
}

/**
 * Counts a guest in; answers whether it may look. The share is looked at once more now that its end would cut this
 * guest off: one that was revoked during the upgrade must show nothing.
 */
async function admit(
  socket: WebSocket,
  guests: Guests,
  { shareId, terminalId, expiresAtMs }: OpenedShare,
  again: () => Promise<OpenedShare>,
): Promise<boolean> {
  // What the guest sends meanwhile waits in its socket.
  socket.pause();
  socket.on("error", () => socket.terminate());
  try {
    guests.requireRoom(shareId, terminalId);
    guests.admit(socket, shareId, terminalId, expiresAtMs);
    await again();
    return true;
  } catch (error) {
    if (error instanceof BerthError) cut(socket, error.code, error.message);
    else socket.terminate();
    return false;
  }
}
