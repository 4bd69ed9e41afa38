import { gatewayUser, guestUser, listSshSessions, sandboxSsh, sshGateway } from "@berth/protocol";
import type { FleetKeys } from "../fleet/keys.ts";
import { plainAddress } from "../http/addresses.ts";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { pageLimit } from "../http/page.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { principalsOf } from "../ssh/access-wanted.ts";
import type { SshSessions } from "./sessions.ts";

export interface GatewayRouteDependencies {
  keys: FleetKeys;
  lookup: SandboxLookup;
  sessions: SshSessions;
  /** Whom one signs in as in a sandbox. Rejects if that cannot be found out now. */
  username(row: SandboxRow): Promise<string>;
  /** The port of the gateway, once it listens. */
  port(): number;
  /** The console's name as people reach it, where that is set. */
  publicHost: string | undefined;
}

/** How sandboxes are reached by SSH, and who did. */
export function gatewayRoutes(api: Api, deps: GatewayRouteDependencies): void {
  const { keys, lookup, sessions, username, port, publicHost } = deps;
  mount(api, sshGateway, async ({ request }) => {
    const host = publicHost ?? plainAddress(request.hostname);
    const hostKey = bare(keys.gatewayHostKey.publicKey);
    return {
      host,
      port: port(),
      user: gatewayUser,
      hostKey,
      hostKeyFingerprint: keys.gatewayHostKey.fingerprint,
      gatewayKnownHosts: `${knownAs(host, port())} ${hostKey}`,
      certAuthority: bare(keys.hostAuthority.publicKey),
    };
  });

  mount(api, sandboxSsh, async ({ params, caller }) => {
    const row = await lookup.own(params.id, caller.user.id);
    const own = keys.hostKey(row.id);
    const sshPort = row.ssh_port ?? 22;
    const principals = principalsOf(row);
    const hostKey = bare(own.publicKey);
    return {
      address: row.address,
      port: sshPort,
      user: await username(row).catch(() => guestUser),
      hostKey,
      hostKeyFingerprint: own.fingerprint,
      principals,
      knownHosts: `${principals.map((name) => knownAs(name, sshPort)).join(",")} ${hostKey}`,
    };
  });

  mount(api, listSshSessions, async ({ query, caller }) => {
    const sandbox = query.sandbox === undefined ? undefined : await lookup.own(query.sandbox, caller.user.id);
    return sessions.list(caller.user.id, {
      limit: pageLimit(query),
      cursor: query.cursor,
      sandboxId: sandbox?.id,
    });
  });
}

/** A host as `known_hosts` names it. */
function knownAs(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** A public key without its comment. */
function bare(line: string): string {
  return line.split(" ").slice(0, 2).join(" ");
}
