import { type Caller, isRootItself } from "../../access/caller.ts";
import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { ApiError } from "../../http/api-error.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { count, flag, node, vmid } from "../../schema/parameters.ts";
import { startReboot, startShutdown, startStart, startStop, startSuspend } from "../power.ts";

const permission = onContainer("VM.PowerMgmt");
const base = "/nodes/{node}/lxc/{vmid}/status";

export function powerRoutes(emulation: Emulation): Route[] {
  return [
    defineRoute({
      method: "POST",
      path: `${base}/start`,
      permission,
      parameters: { node, vmid, skiplock: flag, debug: flag },
      handle({ params, caller }) {
        refuseSkiplock(params.skiplock, caller);
        return startStart(emulation, params.vmid, caller);
      },
    }),
    defineRoute({
      method: "POST",
      path: `${base}/stop`,
      permission,
      parameters: { node, vmid, skiplock: flag, "overrule-shutdown": flag },
      handle({ params, caller }) {
        refuseSkiplock(params.skiplock, caller);
        return startStop(emulation, params.vmid, caller);
      },
    }),
    defineRoute({
      method: "POST",
      path: `${base}/shutdown`,
      permission,
      parameters: { node, vmid, timeout: count, forceStop: flag },
      handle({ params, caller }) {
        const { timeout, forceStop } = params;
        const order = { ...(timeout === undefined ? {} : { timeout }), force: forceStop ?? false };
        return startShutdown(emulation, params.vmid, order, caller);
      },
    }),
    defineRoute({
      method: "POST",
      path: `${base}/reboot`,
      permission,
      parameters: { node, vmid, timeout: count },
      handle: ({ params, caller }) => startReboot(emulation, params.vmid, params.timeout, caller),
    }),
    defineRoute({
      method: "POST",
      path: `${base}/suspend`,
      permission,
      parameters: { node, vmid },
      handle: ({ params, caller }) => startSuspend(emulation, params.vmid, caller),
    }),
    defineRoute({
      method: "POST",
      path: `${base}/resume`,
      permission,
      parameters: { node, vmid },
      handle({ params }) {
        throw ApiError.died(`CT ${params.vmid} not suspended`);
      },
    }),
  ];
}

function refuseSkiplock(skiplock: boolean | undefined, caller: Caller): void {
  if (skiplock && !isRootItself(caller)) throw ApiError.parameters({ skiplock: "Only root may use this option." });
}
