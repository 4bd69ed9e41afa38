import type { IncomingMessage } from "node:http";
import { Value } from "typebox/value";
import type { SignIn } from "../access/sign-in.ts";
import { type Answer, answerOf, answerOfError } from "../http/answer.ts";
import { ApiError } from "../http/api-error.ts";
import { readParameters } from "../http/parse-request.ts";
import { type FaultRules, faultRuleSchema } from "./fault-rules.ts";

/**
 * `/_faults`, which no Proxmox has: POST adds a rule (JSON), GET lists the rules, DELETE takes all away. It needs the
 * controller's token or root.
 */
export async function handleFaultsRequest(
  request: IncomingMessage,
  faults: FaultRules,
  signIn: SignIn,
): Promise<Answer> {
  try {
    const caller = signIn.authenticate(request.method ?? "", request.headers);
    if (caller.userid === "powerless@pve") throw ApiError.permission();
    switch (request.method) {
      case "GET":
        return answerOf(faults.list());
      case "DELETE":
        faults.clear();
        return answerOf(null);
      case "POST": {
        const rule = await readParameters(request, "");
        if (!Value.Check(faultRuleSchema, rule)) {
          const first = Value.Errors(faultRuleSchema, rule)[0];
          throw ApiError.parameters({ [first?.instancePath || "rule"]: first?.message ?? "is not a rule" });
        }
        return answerOf(faults.add(rule));
      }
      default:
        throw ApiError.notImplemented(request.method ?? "", "/_faults");
    }
  } catch (error) {
    return answerOfError(error instanceof SyntaxError ? ApiError.parameters({ path: error.message }) : error);
  }
}
