import { type RawBuilder, sql } from "kysely";

/**
 * A row of `sandboxes` as `presentSandbox` shows it, made by the database itself: so that a change and the event that
 * tells of it are one statement. `row` is the name that the statement has for it; the order of the keys is nobody's.
 */
export function toldSandbox(row: string, agentConnected: boolean): RawBuilder<unknown> {
  const at = (column: string) => sql.ref(`${row}.${column}`);
  return sql`jsonb_build_object(
    'id', ${at("id")}, 'name', ${at("name")}, 'ownerId', ${at("owner_id")},
    'state', ${at("state")}, 'error', ${at("error")},
    'cores', ${at("cores")}, 'memoryMiB', ${at("memory_mib")}, 'diskGiB', ${at("disk_gib")},
    'node', ${at("node")}, 'vmid', ${at("vmid")}, 'address', ${at("address")},
    'workspace', ${at("workspace")},
    'envNames', (select coalesce(jsonb_agg(name order by name collate "C"), '[]')
      from jsonb_object_keys(${at("env")}) as name),
    'agent', jsonb_build_object('connected', ${agentConnected}::boolean, 'version', ${at("agent_version")}),
    'operationId', (select id from operations
      where sandbox_id = ${at("id")} and state in ('queued', 'running')),
    'createdAt', ${instant(at("created_at"))}, 'updatedAt', ${instant(at("updated_at"))})`;
}

/** As JavaScript writes an instant. */
function instant(column: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
