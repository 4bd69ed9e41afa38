import { PassThrough } from "node:stream";
import { Scope } from "@berth/base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentRegistry } from "../src/agents/registry.ts";
import { EventLog } from "../src/events/log.ts";
import { createLogger } from "../src/http/logger.ts";
import { connect } from "../src/store/connect.ts";
import { TerminalKeeper } from "../src/terminals/keeper.ts";
import { Terminals } from "../src/terminals/repository.ts";
import { testStore } from "./http.fixture.ts";
import { neverAsleep } from "./never-asleep.ts";

let scope: Scope;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

test("an agent that arrives while the database is away does not end the controller", async () => {
  const { url } = await testStore(scope);
  const store = await connect({ url });
  const events = new EventLog({ db: store.db, pool: store.pool });
  const terminals = new Terminals(store.db, events);
  const keeper = new TerminalKeeper({
    terminals,
    registry: new AgentRegistry(),
    sleepers: neverAsleep,
    log: createLogger("error", new PassThrough()),
  });
  await store.close();
  await expect(terminals.ofSandbox("sbx_any")).rejects.toThrow();
  await expect(keeper.reconcile("sbx_any", [])).resolves.toBeUndefined();
});
