import type { Benchmark } from "./benchmark.ts";
import { bulk } from "./bulk.ts";
import { create } from "./create.ts";
import { ctrlC } from "./ctrl-c.ts";
import { echo } from "./echo.ts";
import { echoFlood } from "./echo-flood.ts";
import { fleet } from "./fleet.ts";
import { fork } from "./fork.ts";
import { git } from "./git.ts";
import { memory } from "./memory.ts";
import { pool } from "./pool.ts";
import { reconcile } from "./reconcile.ts";
import { reconnect } from "./reconnect.ts";
import { rotate } from "./rotate.ts";
import { scale } from "./scale.ts";
import { ssh } from "./ssh.ts";
import { stall } from "./stall.ts";
import { start } from "./start.ts";
import { syncBenchmark } from "./sync.ts";
import { wake } from "./wake.ts";

/** Every benchmark, in the order in which they run. */
export const catalogue: readonly Benchmark[] = [
  ...[start, create, pool, fork, wake, fleet, reconcile],
  ...[bulk, echo, echoFlood, ctrlC, stall, reconnect, memory, scale, rotate],
  ...[syncBenchmark, git, ssh],
];
