import type { Proxmox } from "proxmox-api";
import type { Caller } from "../access/caller.ts";
import type { Rights } from "../access/rights.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, Page, type Route } from "../http/route.ts";
import { splitList } from "../schema/formats.ts";
import { count, flag, node, optionalVmid, text } from "../schema/parameters.ts";
import type { Task } from "./task.ts";
import type { Tasks } from "./task-list.ts";
import { parseUpid } from "./upid.ts";

const upid = { type: "string" } as const;
const integer = { type: "integer", optional: true } as const;

export function taskRoutes(tasks: Tasks, rights: Rights, nodeName: string): Route[] {
  const visible = (caller: Caller, named: string): Task => {
    const parts = parseUpid(named);
    if (!parts) throw ApiError.parameters({ upid: "unable to parse worker upid" });
    if (parts.owner !== caller.id) rights.require(caller, `/nodes/${nodeName}`, "Sys.Audit");
    const task = tasks.get(named);
    if (!task) throw ApiError.parameters({ upid: "no such task" });
    return task;
  };
  return [
    listRoute(tasks, rights, nodeName),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/tasks/{upid}",
      permission: "all",
      parameters: { node, upid },
      handle: () => [{ name: "log" }, { name: "status" }],
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/tasks/{upid}/status",
      permission: "all",
      parameters: { node, upid },
      handle: ({ params, caller }) => statusOf(visible(caller, params.upid)),
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/tasks/{upid}/log",
      permission: "all",
      parameters: { node, upid, start: count, limit: count, download: flag },
      handle({ params, caller }) {
        const parts = parseUpid(params.upid);
        // PVE opens the file without asking whether there is one, and answers what went wrong as the log.
        if (parts && !tasks.get(params.upid)) {
          return new Page({ n: 1, t: "unable to open file - No such file or directory" }, 1);
        }
        return logPage(visible(caller, params.upid), params.start ?? 0, params.limit ?? 50);
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/nodes/{node}/tasks/{upid}",
      permission: "all",
      parameters: { node, upid },
      handle({ params, caller }) {
        const task = visible(caller, params.upid);
        if (task.parts.owner !== caller.id) rights.require(caller, `/nodes/${nodeName}`, "Sys.Modify");
        tasks.stop(task.upid);
        return null;
      },
    }),
  ];
}

function listRoute(tasks: Tasks, rights: Rights, nodeName: string): Route {
  return defineRoute({
    method: "GET",
    path: "/nodes/{node}/tasks",
    permission: "all",
    parameters: {
      node,
      start: count,
      limit: count,
      errors: flag,
      since: integer,
      until: integer,
      vmid: optionalVmid,
      typefilter: text,
      userfilter: text,
      statusfilter: text,
      source: { type: "string", optional: true, enum: ["archive", "active", "all"] },
    },
    handle({ params, caller }) {
      const auditor = rights.has(caller, `/nodes/${nodeName}`, "Sys.Audit");
      const states = params.statusfilter === undefined ? undefined : splitList(params.statusfilter);
      const found = tasks.all().filter((task) => {
        const { parts } = task;
        const active = task.exitstatus === undefined;
        if (!auditor && parts.owner !== caller.id) return false;
        if ((params.source ?? "archive") !== "all" && active !== (params.source === "active")) return false;
        if (params.vmid !== undefined && parts.id !== String(params.vmid)) return false;
        if (params.typefilter !== undefined && parts.type !== params.typefilter) return false;
        if (params.userfilter !== undefined && !parts.owner.includes(params.userfilter)) return false;
        if (params.since !== undefined && parts.starttime < params.since) return false;
        if (params.until !== undefined && parts.starttime > params.until) return false;
        if (params.errors && (active || task.exitstatus === "OK")) return false;
        return states === undefined || states.includes(statusKind(task));
      });
      const start = params.start ?? 0;
      return new Page(found.slice(start, start + (params.limit ?? 50)).map(listEntry), found.length);
    },
  });
}

/** A task as lists show it: while it runs, `user` carries the token too. */
export function listEntry(task: Task): Proxmox.nodesTasksNodeTasks {
  const { node, pid, pstart, starttime, type, id, owner } = task.parts;
  const [user = owner, tokenid] = owner.split("!");
  const common = { upid: task.upid, node, pid, pstart, starttime, type, id };
  if (task.exitstatus === undefined) return { ...common, user: owner };
  return {
    ...common,
    user,
    ...(tokenid === undefined ? {} : { tokenid }),
    ...(task.endtime === undefined ? {} : { endtime: task.endtime }),
    status: task.exitstatus,
  };
}

function statusOf(task: Task): Proxmox.nodesTasksStatusReadTaskStatus {
  const { node, pid, pstart, starttime, type, id, owner } = task.parts;
  const [user = owner, tokenid] = owner.split("!");
  return {
    upid: task.upid,
    node,
    pid,
    pstart,
    starttime,
    type,
    id,
    user,
    ...(tokenid === undefined ? {} : { tokenid }),
    ...(task.exitstatus === undefined ? { status: "running" } : { status: "stopped", exitstatus: task.exitstatus }),
  };
}

function logPage(task: Task, start: number, limit: number): Page {
  const lines: Proxmox.nodesTasksLogReadTaskLog[] = task.log.map((t, index) => ({ n: index + 1, t }));
  return new Page(limit === 0 ? lines.slice(start) : lines.slice(start, start + limit), lines.length);
}

function statusKind(task: Task): string {
  if (task.exitstatus === undefined) return "unknown";
  if (task.exitstatus === "OK") return "ok";
  if (task.exitstatus.startsWith("WARNINGS:")) return "warning";
  return task.exitstatus === "unexpected status" ? "unknown" : "error";
}
