import type { Clock, Scope } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { Registry } from "prom-client";
import type { EventLog } from "../events/log.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import type { Api } from "../http/api.ts";
import { listenOrExplain } from "../listen.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { Settings } from "../settings/settings.ts";
import { AccessKeeper } from "../ssh/access-keeper.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { Database } from "../store/tables.ts";
import { ClaudeTerminals, type ClaudeTerminalsDependencies } from "../terminals/claude.ts";
import { Gateway, type GatewayDependencies } from "./gateway.ts";
import { gatewayMetrics } from "./metrics.ts";
import { gatewayRoutes } from "./routes.ts";
import { SshSessions } from "./sessions.ts";

export interface SshModuleDependencies {
  settings: Settings;
  db: Kysely<Database>;
  events: EventLog;
  keys: FleetKeys;
  lookup: SandboxLookup;
  ssh: SandboxSsh;
  keeper: ClaudeTerminalsDependencies["keeper"];
  registry: ClaudeTerminalsDependencies["registry"];
  sleepers: ClaudeTerminalsDependencies["sleepers"];
  awaitReady: GatewayDependencies["awaitReady"];
  hold: GatewayDependencies["hold"];
  metrics: Registry;
  clock: Clock;
  log: FastifyBaseLogger;
}

/** How people reach sandboxes by SSH, put together. */
export interface SshModule {
  readonly access: AccessKeeper;
  readonly sessions: SshSessions;
  /** A user has added or removed a key, and it is committed. */
  keysChanged(userId: string): void;
  routes(api: Api): void;
  /** Listens, and keeps the sandboxes' keys, until the scope is disposed. Throws a `StartError`. */
  start(scope: Scope): Promise<void>;
}

/** Puts the parts together; nothing runs before `start`. */
export function makeSshModule(deps: SshModuleDependencies): SshModule {
  const { settings, db, keys, ssh, clock, log } = deps;
  const sessions = new SshSessions(db, clock);
  const access = new AccessKeeper({ db, keys, clock, log });
  const gateway = new Gateway({
    db,
    keys,
    ssh,
    claude: new ClaudeTerminals(deps),
    awaitReady: deps.awaitReady,
    hold: deps.hold,
    sessions,
    metrics: gatewayMetrics(deps.metrics),
    agentForwarding: settings.sshAgentForwarding,
    clock,
    log,
  });
  let port = settings.sshPort;
  return {
    access,
    sessions,
    keysChanged: (userId) => {
      void gateway.keysChanged(userId);
      void access.keysChanged(userId);
    },
    routes: (api) =>
      gatewayRoutes(api, {
        keys,
        lookup: deps.lookup,
        sessions,
        username: async (row) => (await ssh.place(row)).username,
        port: () => port,
        publicHost: settings.publicUrl?.hostname,
      }),
    start: async (scope) => {
      const { host, sshPort } = settings;
      scope.add(() => access.stop());
      scope.add(() => gateway.close());
      const place = { host, port: sshPort, variable: "BERTH_SSH_PORT", what: "The SSH gateway" };
      port = await listenOrExplain(place, () => gateway.listen(host, sshPort));
    },
  };
}
