import type { Benchmark } from "./benchmark.ts";
import { create } from "./create.ts";
import { echo } from "./echo.ts";
import { fleet } from "./fleet.ts";
import { reconcile } from "./reconcile.ts";
import { start } from "./start.ts";

/** Every benchmark, in the order in which they run. */
export const catalogue: readonly Benchmark[] = [start, create, echo, fleet, reconcile];
