import { env } from "node:process";
import fc from "fast-check";

/**
 * Property tests try the same cases at every run, so that a change is judged by itself. FUZZ_SEED=<number> tries others,
 * and a failure prints the seed that it was found with.
 */
fc.configureGlobal({ seed: Number(env.FUZZ_SEED ?? 1) });
