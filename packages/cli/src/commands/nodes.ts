import { type DoctorCheck, everyPage, listNodes, type Node } from "@berth/protocol";
import type { Command } from "commander";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, type Run } from "./register.ts";

const gibibyte = 1024 ** 3;

/** `berth nodes`: the Proxmox hosts, and how much room is on them. */
export function nodesCommand(run: Run): Command {
  const command = describe("nodes", {
    summary: "List the Proxmox hosts, and how much room is on them",
    more: `Memory: used, plus what running sandboxes may still use, of what there is. Storages: free of what there is; on those
with a * all hosts that have it see the same. A new sandbox goes where the most like it would fit, unless --node says where.`,
    examples: [
      "berth nodes",
      "berth nodes --quiet           # names alone",
      "berth nodes --json | jq '.items[].storages'",
      "berth nodes --json | jq '.checks[] | select(.state != \"ok\")'",
    ],
    group: groups.fleet,
  });
  return does(command, run, async (session) => {
    await list(session);
    return undefined;
  });
}

async function list(session: Session): Promise<void> {
  const { output, signal } = session;
  const api = await session.client();
  let checks: readonly DoctorCheck[] = [];
  const items = await everyPage(async (query) => {
    // Of every page they are the same.
    const page = await api.call(listNodes, { query: { ...query, checks: query.cursor === undefined } }, { signal });
    if (query.cursor === undefined) checks = page.checks;
    return page;
  });
  const rows = items.map((node) => [
    node.name,
    output.style(node.online && !node.maintenance ? "green" : "yellow", stateOf(node)),
    node.cores === null ? "" : `${percent(node.cpu)} of ${node.cores}`,
    memoryOf(node),
    node.storages.map(storageText).join(", "),
    node.templates.map(({ vmid }) => String(vmid)).join(", "),
    String(node.sandboxes),
  ]);
  const columns = ["NODE", "STATE", "CPU", "MEMORY", "STORAGES", "TEMPLATE", "SANDBOXES"];
  output.result(
    { items, nextCursor: null, checks },
    () => output.table(columns, rows) + (output.quiet ? "" : avoidedLines(items) + amissLines(checks)),
  );
}

/** Of each host that no sandbox of the usual size would be made on, why; what its state says already, not again. */
export function avoidedLines(nodes: readonly Node[]): string {
  return nodes
    .flatMap(({ name, online, maintenance, avoided }) =>
      avoided && online && !maintenance ? [`${name} takes no new sandbox: ${avoided.reason}\n`] : [],
    )
    .join("");
}

/** What the doctor finds amiss, and who says how it is mended; nothing where all is well. */
export function amissLines(checks: readonly DoctorCheck[]): string {
  const amiss = checks.filter(({ state }) => state !== "ok");
  if (amiss.length === 0) return "";
  const lines = amiss.map(({ title, state, detail }) => `${state}: ${harmless(title)}: ${harmless(detail)}\n`);
  return `\n${lines.join("")}What mends it: berth doctor\n`;
}

/** `online`, `offline` or `maintenance`. */
export function stateOf({ online, maintenance }: Node): string {
  if (!online) return "offline";
  return maintenance ? "maintenance" : "online";
}

/** `3.2 + 1.5 of 16 GiB` */
export function memoryOf({ memoryBytes, memoryUsedBytes, memoryPromisedBytes }: Node): string {
  if (memoryBytes === null || memoryUsedBytes === null) return "";
  const promised = memoryPromisedBytes ? ` + ${tenths(memoryPromisedBytes)}` : "";
  return `${tenths(memoryUsedBytes)}${promised} of ${tenths(memoryBytes)} GiB`;
}

/** `local-zfs 80 of 200 GiB` */
export function storageText({ name, shared, freeBytes, totalBytes }: Node["storages"][number]): string {
  const of = totalBytes === null ? "" : ` of ${tenths(totalBytes)}`;
  return `${name}${shared ? "*" : ""}${freeBytes === null ? "" : ` ${tenths(freeBytes)}${of} GiB`}`;
}

const percent = (share: number | null) => (share === null ? "?" : `${Math.round(share * 100)} %`);
const tenths = (bytes: number) => String(Math.round((bytes / gibibyte) * 10) / 10);
