import type { IncomingMessage, ServerResponse } from "node:http";
import { systemClock } from "@berth/base";
import type { Caller } from "../access/caller.ts";
import type { Rights } from "../access/rights.ts";
import type { SignIn } from "../access/sign-in.ts";
import type { Fault, FaultRules } from "../faults/fault-rules.ts";
import { handleFaultsRequest } from "../faults/faults-endpoint.ts";
import type { RawParameters } from "../schema/parameter.ts";
import { type Answer, answerOf, answerOfError, sendAnswer } from "./answer.ts";
import { ApiError } from "./api-error.ts";
import { readParameters, splitTarget } from "./parse-request.ts";
import type { Route, RouteTable } from "./route.ts";

export interface DispatcherOptions {
  readonly routes: RouteTable;
  readonly signIn: SignIn;
  readonly rights: Rights;
  readonly faults: FaultRules;
  readonly node: string;
  readonly report: (line: string) => void;
}

/** Answers requests: who calls, which route, may they, on which node, are the parameters right, and then the handler. */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults, signIn, report } = this.#options;
    const target = request.url ?? "/";
    if (target.split("?")[0] === "/_faults") {
      sendAnswer(response, await handleFaultsRequest(request, faults, signIn));
      return;
    }
    const fault = faults.take(request.method ?? "", target);
    if (fault && (await happensBefore(fault, request, response))) return;
    let answer: Answer;
    try {
      answer = answerOf(await this.#call(request));
    } catch (error) {
      answer = answerOfError(error);
      if (!(error instanceof Error)) report(`a handler threw ${String(error)}`);
    }
    if (fault && (await happensAfter(fault, request))) return;
    // A body that nobody read would be taken for the next request.
    if (!request.complete) response.shouldKeepAlive = false;
    sendAnswer(response, answer);
  }

  async #call(request: IncomingMessage): Promise<unknown> {
    const { signIn, routes, rights } = this.#options;
    const method = request.method ?? "";
    const target = splitTarget(request.url ?? "/");
    if (!target) throw new ApiError(404, `no such file '${request.url}'`);
    if (request.headers["transfer-encoding"] !== undefined) {
      throw new ApiError(501, "chunked transfer encoding not supported");
    }
    const found = routes.find(method, target.path);
    const open = found?.route.permission === "world";
    const caller = open ? undefined : signIn.authenticate(method, request.headers);
    const given = await readParameters(request, target.query);
    if (!found) throw ApiError.notImplemented(method, target.path);
    const parameters = merge(found.parameters, given);
    rights.demand(caller, found.route.permission, parameters);
    this.#requireNode(found.route, parameters);
    return found.route.run(parameters, caller ?? nobody);
  }

  /** A call about another node would be sent on to it. */
  #requireNode(route: Route, parameters: RawParameters): void {
    const { node } = parameters;
    if (!route.path.startsWith("/nodes/{node}") || node === this.#options.node || node === "localhost") return;
    throw ApiError.died(`hostname lookup '${String(node)}' failed - failed to get address info for: ${String(node)}`);
  }
}

const nobody: Caller = { userid: "", id: "" };

function merge(inPath: Readonly<Record<string, string>>, given: RawParameters): RawParameters {
  for (const [name, value] of Object.entries(inPath)) {
    if (given[name] !== undefined && String(given[name]) !== value) {
      throw ApiError.parameters({
        [name]: "duplicate parameter (already defined in URI) with conflicting values",
      });
    }
  }
  const decoded = Object.entries(inPath).map(([name, value]) => [name, value.replaceAll("%2F", "/")]);
  return { ...given, ...Object.fromEntries(decoded) };
}

/** Faults that come before the call is handled. True when there is nothing more to do. */
async function happensBefore(fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  switch (fault.kind) {
    case "status":
      request.resume();
      sendAnswer(response, answerOfError(new ApiError(fault.status, fault.reason ?? "fault injected")));
      return true;
    case "hang":
      return true;
    case "late":
      await systemClock.sleep(fault.ms);
      return false;
    case "cut":
      if (fault.when === "after") return false;
      request.socket.destroy();
      return true;
  }
}

/** Faults that come once the call has had its effect: the answer is lost. */
async function happensAfter(fault: Fault, request: IncomingMessage): Promise<boolean> {
  if (fault.kind !== "cut") return false;
  request.socket.destroy();
  return true;
}
