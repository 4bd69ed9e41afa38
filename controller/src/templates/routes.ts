import { buildTemplate, deleteTemplate, getTemplate, type Template } from "@berth/protocol";
import type { Kysely } from "kysely";
import { asked } from "../cluster/question.ts";
import type { Api } from "../http/api.ts";
import { mount, mountLooked, mountTransactional } from "../http/mount.ts";
import { templateHint } from "../sandboxes/steps/dependencies.ts";
import type { Database } from "../store/tables.ts";
import type { TemplateState } from "./finder.ts";
import type { TemplateModule } from "./module.ts";

export function templateRoutes(api: Api, module: TemplateModule): void {
  const { finder, contents, service } = module;

  mount(api, getTemplate, async ({ caller }) => {
    const state = await asked(() => finder.find());
    const latestVersion = (await contents.version()) ?? null;
    const templates = await presentAll(api.db, module, state);
    const present = presentState(state, finder.vmid, latestVersion);
    return {
      ...present,
      // A mark has no room for long reasons.
      skipped: templates.find(({ current }) => current)?.skipped ?? present.skipped,
      latestVersion,
      ...(await buildsOf(api.db, caller.user.id)),
      templates,
    };
  });

  mountLooked(
    api,
    deleteTemplate,
    () => asked(() => finder.all()),
    async ({ params: { vmid }, caller }, work, all) => {
      await service.remove(work, caller.user.id, { vmid, current: new Set(all.map((one) => one.vmid)) });
      work.afterCommit(() => finder.forget());
      return undefined;
    },
  );

  mountTransactional(api, buildTemplate, async ({ body, caller }, work) => ({
    operation: await service.build(work, caller.user.id, body),
  }));
}

type Present = Omit<Template, "latestVersion" | "build" | "lastBuild" | "templates">;

function presentState(state: TemplateState, configuredVmid: number, latestVersion: string | null): Present {
  if (state.kind === "ready") {
    const { vmid, node, name, contents } = state.facts;
    const version = contents?.version ?? null;
    return {
      vmid,
      state: "ready",
      node,
      name: name ?? null,
      error: null,
      version,
      outdated: version !== null && latestVersion !== null && version !== latestVersion,
      builtAt: contents?.at.toISOString() ?? null,
      skipped: [...(contents?.skipped ?? [])],
    };
  }
  const reason =
    state.kind === "missing" ? `There is no template ${configuredVmid} that the token may see` : state.reason;
  return {
    vmid: configuredVmid,
    state: state.kind,
    node: state.kind === "unusable" ? state.node : null,
    name: null,
    error: { code: "template_unusable", message: `${reason}.`, hint: templateHint },
    version: null,
    outdated: false,
    builtAt: null,
    skipped: [],
  };
}

/** The build that is under way, and the last one of the caller's. */
async function buildsOf(db: Kysely<Database>, userId: string): Promise<Pick<Template, "build" | "lastBuild">> {
  const builds = db.selectFrom("operations").select("id").where("kind", "=", "template_build");
  const running = await builds.where("state", "in", ["queued", "running"]).executeTakeFirst();
  const last = await builds
    .where("owner_id", "=", userId)
    .where("finished_at", "is not", null)
    .orderBy("created_at", "desc")
    .limit(1)
    .executeTakeFirst();
  return { build: running?.id ?? null, lastBuild: last?.id ?? null };
}

async function presentAll(
  db: Kysely<Database>,
  { templates, finder }: TemplateModule,
  state: TemplateState,
): Promise<Template["templates"]> {
  const counts = await db
    .selectFrom("sandboxes")
    .select(["template_id", (eb) => eb.fn.countAll<number>().as("count")])
    .where("template_id", "is not", null)
    .groupBy("template_id")
    .execute();
  const sandboxes = new Map(counts.map(({ template_id: id, count }) => [id, Number(count)]));
  const current = state.kind === "ready" ? state.facts.built?.id : undefined;
  return (await templates.all()).flatMap(({ id, state: kind, vmid, node, version, built_at: builtAt, skipped }) =>
    kind === "ready" && vmid !== null && finder.seen.has(vmid) && node !== null && version !== null && builtAt !== null
      ? [
          {
            id,
            vmid,
            node,
            version,
            builtAt: builtAt.toISOString(),
            skipped: skipped ?? [],
            current: id === current,
            sandboxes: sandboxes.get(id) ?? 0,
          },
        ]
      : [],
  );
}
