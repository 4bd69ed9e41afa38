import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@berth/base";
import type { Caller } from "../access/caller.ts";
import type { Rights } from "../access/rights.ts";
import { claimedCaller, type SignIn } from "../access/sign-in.ts";
import { befallAfter, befallBefore } from "../faults/befall.ts";
import type { Mishap } from "../faults/fault-rules.ts";
import { type FaultsControl, handleFaultsRequest, isForFaults } from "../faults/faults-endpoint.ts";
import { StaleAnswers } from "../faults/stale-answers.ts";
import { withTaskFault } from "../faults/task-fault.ts";
import type { RawParameters } from "../schema/parameter.ts";
import { type Answer, answerOf, answerOfError, sendAnswer } from "./answer.ts";
import { ApiError } from "./api-error.ts";
import { readParameters, splitTarget } from "./parse-request.ts";
import type { Route, RouteTable } from "./route.ts";

/** The hosts of the cluster. */
export interface Hosts {
  /** What a host answers; undefined: there is no such host. */
  routesOf(node: string): RouteTable | undefined;
  isOnline(node: string): boolean;
}

export interface DispatcherOptions {
  readonly hosts: Hosts;
  readonly signIn: SignIn;
  readonly rights: Rights;
  readonly control: FaultsControl;
  /** The host that is asked. */
  readonly node: string;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

/** Answers requests: who calls, which route, may they, on which node, are the parameters right, and then the handler. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #stale: StaleAnswers;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#stale = new StaleAnswers(options.clock);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { control, signIn, clock } = this.#options;
    const target = request.url ?? "/";
    if (isForFaults(target)) {
      sendAnswer(response, await handleFaultsRequest(request, control, signIn));
      return;
    }
    const method = request.method ?? "";
    const caller = claimedCaller(request.headers);
    const mishap = control.faults.take(method, target, caller);
    const call = control.calls.begin({ method, target, caller }, mishap?.fault);
    if (mishap && (await befallBefore(mishap, { request, response }, clock))) return;
    let answer = await (mishap ? withTaskFault(mishap, () => this.#answer(request)) : this.#answer(request));
    call.status = answer.status;
    if (mishap) answer = this.#aged(mishap, request, answer);
    if (mishap && (await befallAfter(mishap, { request, response }, answer))) return;
    // A body that nobody read would be taken for the next request.
    if (!request.complete) response.shouldKeepAlive = false;
    sendAnswer(response, answer);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    try {
      return answerOf(await this.#call(request));
    } catch (error) {
      if (!(error instanceof Error)) this.#options.report(`a handler threw ${String(error)}`);
      return answerOfError(error);
    }
  }

  #aged({ fault, ruleId }: Mishap, request: IncomingMessage, present: Answer): Answer {
    if (fault.kind !== "stale") return present;
    return this.#stale.exchange(ruleId, claimedCaller(request.headers), request.url ?? "", present, fault.ms);
  }

  async #call(request: IncomingMessage): Promise<unknown> {
    const { signIn, hosts, rights, node } = this.#options;
    const method = request.method ?? "";
    const target = splitTarget(request.url ?? "/");
    if (!target) throw new ApiError(404, `no such file '${request.url}'`);
    if (request.headers["transfer-encoding"] !== undefined) {
      throw new ApiError(501, "chunked transfer encoding not supported");
    }
    const found = hosts.routesOf(node)?.find(method, target.path);
    const open = found?.route.permission === "world";
    const caller = open ? undefined : signIn.authenticate(method, request.headers);
    const given = await readParameters(request, target.query);
    if (!found) throw ApiError.notImplemented(method, target.path);
    const parameters = merge(found.parameters, given);
    rights.demand(caller, found.route.permission, parameters);
    const { route } = this.#atNode(found, parameters) ?? found;
    return route.run(parameters, caller ?? nobody);
  }

  /** A call about another host is sent on to it. Throws what PVE answers when that cannot be. */
  #atNode({ route }: { route: Route }, parameters: RawParameters): { route: Route } | undefined {
    const { hosts } = this.#options;
    const node = String(parameters.node);
    if (!route.path.startsWith("/nodes/{node}") || node === this.#options.node || node === "localhost")
      return undefined;
    const routes = hosts.routesOf(node);
    if (!routes) throw ApiError.died(`hostname lookup '${node}' failed - failed to get address info for: ${node}`);
    if (!hosts.isOnline(node)) throw ApiError.noConnection();
    return routes.same(route);
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
