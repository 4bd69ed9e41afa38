import type { Idle } from "@berth/protocol";
import { type RawBuilder, sql } from "kysely";
import { besideList } from "../operations/beside.ts";
import { notIdle } from "./record.ts";

/**
 * A row of `sandboxes` as `presentSandbox` shows it, made by the database itself: so that a change and the event that
 * tells of it are one statement. `row` is the name that the statement has for it.
 */
export function toldSandbox(
  row: "changed" | "sandboxes",
  live: { agentConnected: boolean; idle: Idle },
): RawBuilder<unknown> {
  const idle = sql`case ${sql.ref(`${row}.state`)} when 'ready' then ${JSON.stringify(live.idle)}::jsonb
    else ${JSON.stringify(notIdle)}::jsonb end`;
  return sql`${texts[row]} || jsonb_build_object('idle', ${idle}, 'agent',
    jsonb_build_object('connected', ${live.agentConnected}::boolean, 'version', ${sql.ref(`${row}.agent_version`)}))`;
}

/** Written once: to put it together takes longer than to send it. */
const texts = { changed: sql.raw(textOf("changed")), sandboxes: sql.raw(textOf("sandboxes")) };

function textOf(row: string): string {
  return `jsonb_build_object(
    'id', ${row}.id, 'name', ${row}.name, 'ownerId', ${row}.owner_id, 'state', ${row}.state, 'error', ${row}.error,
    'cores', ${row}.cores, 'memoryMiB', ${row}.memory_mib, 'diskGiB', ${row}.disk_gib, 'vlan', ${row}.vlan,
    'onBoot', ${row}.on_boot, 'protection', ${row}.protection, 'restartNeeded', to_jsonb(${row}.restart_needed),
    'drift', ${row}.drift, 'forkedFrom', ${row}.source->'sandboxId',
    'node', ${row}.node, 'vmid', ${row}.vmid, 'address', ${row}.address, 'sshPort', coalesce(${row}.ssh_port, 22),
    'workspace', ${row}.workspace,
    'envNames', (select coalesce(jsonb_agg(key order by key collate "C"), '[]') from jsonb_object_keys(${row}.env) as key),
    'attention', ${row}.attention, 'sleepAfterMinutes', ${row}.sleep_after,
    'operationId', (select operations.id from operations
      where operations.sandbox_id = ${row}.id and operations.kind not in (${besideList}) and operations.state in ('queued', 'running')),
    'createdAt', ${instant(`${row}.created_at`)}, 'updatedAt', ${instant(`${row}.updated_at`)})`;
}

/** As JavaScript writes an instant. */
function instant(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
