export { type BackendKind, type EmulatorOptions, type RunningEmulator, startEmulator } from "./emulator.ts";
export { type EmulatorFacts, emulatorFactsSchema } from "./emulator-facts.ts";
export { type EnsuredEmulator, type EnsureOptions, ensureEmulator } from "./ensure-emulator.ts";
export { type Fault, type FaultRule, faultRuleSchema } from "./faults/fault-rules.ts";
