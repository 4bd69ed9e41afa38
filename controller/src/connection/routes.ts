import {
  BerthError,
  examineConnection,
  forgetConnection,
  getConnection,
  getPreparation,
  lookAtProxmox,
  saveConnection,
} from "@berth/protocol";
import { isProxmoxError, lookAtCertificate } from "@berth/proxmox";
import { requireAdmin } from "../http/access.ts";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import type { Connections } from "./change.ts";
import { preparationLines, usualNames } from "./preparation.ts";

/** For the TCP connection and the TLS handshake together. */
const lookTimeoutMs = 8_000;

/** All of it is the admin's: it names addresses that the controller then speaks to. */
export function connectionRoutes(api: Api, connections: Connections): void {
  mount(api, getConnection, async ({ caller }) => {
    requireAdmin(caller);
    return connections.present();
  });

  mount(api, getPreparation, async ({ query, caller }) => {
    requireAdmin(caller);
    const names = { ...usualNames, ...query };
    return { ...names, lines: preparationLines(names) };
  });

  mount(api, lookAtProxmox, async ({ body, caller }) => {
    requireAdmin(caller);
    try {
      const seen = await lookAtCertificate(body.url, { timeoutMs: lookTimeoutMs, clock: api.clock });
      const { validFrom, validTo, distrust, ...rest } = seen;
      const days = { validFrom: validFrom.toISOString(), validTo: validTo.toISOString() };
      return { ...rest, ...days, distrust: distrust ?? null };
    } catch (error) {
      if (!isProxmoxError(error)) throw error;
      throw new BerthError("proxmox_unavailable", error.message, { hint: error.hint, cause: error });
    }
  });

  mount(api, examineConnection, async ({ body, caller }) => {
    requireAdmin(caller);
    return connections.examine(body);
  });

  mount(api, saveConnection, async ({ body, caller }) => {
    requireAdmin(caller);
    await connections.save(body, caller);
    return undefined;
  });

  mount(api, forgetConnection, async ({ caller }) => {
    requireAdmin(caller);
    await connections.forget(caller);
    return undefined;
  });
}
