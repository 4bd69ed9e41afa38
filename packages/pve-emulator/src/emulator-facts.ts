import { join } from "node:path";
import Type, { type Static } from "typebox";

const hostSchema = Type.Object({ node: Type.String(), url: Type.String(), fingerprint: Type.String() });
/** A host of the cluster, and where it answers. */
export type HostFacts = Static<typeof hostSchema>;

/** What the emulator prints once everything answers; `./scripts/emulator` promises these names to the outside. */
export const emulatorFactsSchema = Type.Object({
  /** `https://127.0.0.1:port` */
  url: Type.String(),
  /** SHA-256 of the certificate, `AA:BB:…`. */
  fingerprint: Type.String(),
  /** All hosts; the one above is the first. An emulator of an older version, which may still run, does not tell. */
  nodes: Type.Optional(Type.Array(hostSchema)),
  node: Type.String(),
  storage: Type.String(),
  bridge: Type.String(),
  pool: Type.String(),
  /** The controller's API token, `user@realm!id=uuid`. */
  token: Type.String(),
  /** A valid token without any right. */
  powerlessToken: Type.String(),
  rootPassword: Type.String(),
  /** The machine as containers see it. */
  hostAddress: Type.String(),
  /** What its containers are. */
  backend: Type.Union([Type.Literal("lxc"), Type.Literal("process")]),
});
export type EmulatorFacts = Static<typeof emulatorFactsSchema>;

/** Where a running emulator tells the same facts, with who it is; gone when it has ended in good order. */
export const factsFile = (dataDir: string): string => join(dataDir, "emulator.json");
