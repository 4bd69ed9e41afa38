import type { Scope } from "@berth/base";
import Type, { type Static } from "typebox";
import { Compile } from "typebox/compile";
import { PartnerProcess } from "./partner-process.ts";

/** What the hosts' process is started with, as a file. */
export const hostsSchema = Type.Object({
  dataDir: Type.String(),
  hosts: Type.Integer({ minimum: 1 }),
  /** Of each host. */
  memoryBytes: Type.Integer(),
});
export type HostsDescription = Static<typeof hostsSchema>;

const messageSchema = Type.Object({
  kind: Type.Literal("listening"),
  nodes: Type.Array(Type.Object({ node: Type.String(), url: Type.String(), fingerprint: Type.String() })),
  token: Type.String(),
  pool: Type.String(),
});
/** From the hosts' process: they answer. */
export type HostsMessage = Static<typeof messageSchema>;

const program = new URL("./hosts-main.ts", import.meta.url);
const messages = Compile(messageSchema);

/** Starts a process with emulated hosts; the scope ends it. */
export async function startHosts(scope: Scope, description: HostsDescription): Promise<HostsMessage> {
  const partner = await PartnerProcess.start(scope, program, description, messages);
  return partner.next("listening");
}
