export type { BackendKind, MachineService } from "./backend/backend.ts";
export type { BackendChoice } from "./backend/choice.ts";
export {
  type BootedGuest,
  MemoryBackend,
  type MemoryBackendOptions,
  type MemoryGuest,
} from "./backend/memory/memory-backend.ts";
export { subnetOf } from "./backend/process/subnet.ts";
export { type ClusterOptions, clusterOf, type NodeOptions, type StorageOptions } from "./cluster/cluster.ts";
export type { HostFate } from "./cluster/host-fate.ts";
export {
  type EmulatorOptions,
  type MakeBackend,
  type RunningEmulator,
  startEmulator,
} from "./emulator.ts";
export { type EmulatorFacts, emulatorFactsSchema } from "./emulator-facts.ts";
export { type EnsuredEmulator, type EnsureOptions, ensureEmulator, stopLeftEmulator } from "./ensure-emulator.ts";
export type { RecordedCall } from "./faults/call-record.ts";
export { type Fault, type FaultRule, faultRuleSchema } from "./faults/fault.ts";
export type { FaultsControl } from "./faults/faults-endpoint.ts";
export type { PctCommand } from "./faults/host-shell.ts";
