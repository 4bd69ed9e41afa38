import type { IncomingMessage } from "node:http";
import Type, { type Static, type TSchema } from "typebox";
import { Value } from "typebox/value";
import type { SignIn } from "../access/sign-in.ts";
import type { MachineService } from "../backend/backend.ts";
import { type HostFate, hostFateSchema } from "../cluster/host-fate.ts";
import { type Answer, answerOf, answerOfError } from "../http/answer.ts";
import { ApiError } from "../http/api-error.ts";
import { readParameters } from "../http/parse-request.ts";
import type { CallRecord } from "./call-record.ts";
import { faultRuleSchema } from "./fault.ts";
import type { FaultRules } from "./fault-rules.ts";
import { type PctCommand, pctCommandSchema } from "./host-shell.ts";

/** What the endpoints below work on. */
export interface FaultsControl {
  readonly faults: FaultRules;
  readonly calls: CallRecord;
  /** What root does on the host. */
  pct(command: PctCommand): Promise<void>;
  /** Runs a line of `pveum` as root. Answers the secret of a token that it made. Throws what it says. */
  pveum(line: string): Promise<string | undefined>;
  /** Lets something befall a host. */
  befall(fate: HostFate): Promise<void>;
  /** Lets containers reach these TCP ports of `hostAddress`, and no others of the machine; services appear there. */
  allowMachinePorts(ports: readonly number[], services: readonly MachineService[]): Promise<void>;
}

const portSchema = Type.Integer({ minimum: 1, maximum: 65_535 });

/** What `PUT /_network` takes. */
export const networkOrderSchema = Type.Object(
  {
    machinePorts: Type.Array(portSchema, { maxItems: 64 }),
    services: Type.Optional(
      Type.Array(Type.Object({ port: portSchema, address: Type.String({ format: "ipv4" }) }), { maxItems: 64 }),
    ),
  },
  { additionalProperties: false },
);

const paths = /^\/_(?:faults(?:\/([0-9a-f-]{36})\/release)?|calls|pct|network|nodes)$/;

/** Whether a request is for what no Proxmox has. */
export function isForFaults(target: string): boolean {
  return paths.test(target.split("?")[0] ?? "");
}

/**
 * What no Proxmox has, for tests and for the controller that it is bundled with; it needs the controller's token or root. `/_faults`: POST adds a rule (JSON), GET lists
 * the rules, DELETE takes all away; `POST /_faults/{id}/release` lets go what a rule holds. `GET /_calls?since=N`: the
 * calls that were made. `POST /_pct`: what root does on the host's shell. `PUT /_network` `{machinePorts, services}`:
 * which ports and services of the machine containers may reach. `PUT /_nodes`: what becomes of a host.
 */
export async function handleFaultsRequest(
  request: IncomingMessage,
  control: FaultsControl,
  signIn: SignIn,
): Promise<Answer> {
  try {
    const caller = signIn.authenticate(request.method ?? "", request.headers);
    if (caller.userid === "powerless@pve") throw ApiError.permission();
    return answerOf(await carryOut(request, control));
  } catch (error) {
    return answerOfError(error instanceof SyntaxError ? ApiError.parameters({ path: error.message }) : error);
  }
}

async function carryOut(request: IncomingMessage, control: FaultsControl): Promise<unknown> {
  const { faults, calls, pct } = control;
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const released = paths.exec(path)?.[1];
  const call = `${request.method} ${released ? "/_faults/{id}/release" : path}`;
  switch (call) {
    case "GET /_faults":
      return faults.list();
    case "DELETE /_faults":
      return faults.clear();
    case "POST /_faults":
      return faults.add(checked(faultRuleSchema, await readParameters(request, "")));
    case "POST /_faults/{id}/release":
      if (!faults.release(released ?? "")) throw ApiError.parameters({ id: "no such rule" });
      return null;
    case "GET /_calls":
      return calls.since(Number(new URLSearchParams(query).get("since") ?? 0));
    case "POST /_pct":
      return pct(checked(pctCommandSchema, await readParameters(request, "")));
    case "PUT /_network": {
      const order = checked(networkOrderSchema, await readParameters(request, ""));
      await control.allowMachinePorts(order.machinePorts, order.services ?? []);
      return null;
    }
    case "PUT /_nodes":
      await control.befall(checked(hostFateSchema, await readParameters(request, "")));
      return null;
    default:
      throw ApiError.notImplemented(request.method ?? "", path);
  }
}

function checked<S extends TSchema>(schema: S, given: unknown): Static<S> {
  if (Value.Check(schema, given)) return given;
  const first = Value.Errors(schema, given)[0];
  throw ApiError.parameters({ [first?.instancePath || "rule"]: first?.message ?? "is not one" });
}
