import { type Failure, getTemplate, type Template } from "@berth/protocol";
import { useCallback, useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { describeError } from "../api/describe-error.ts";
import { useFleetState } from "../fleet/context.tsx";

/** The template as the controller knows it. */
export interface KnownTemplate {
  /** Undefined until it was read. */
  readonly template: Template | undefined;
  /** Why it could not be read. */
  readonly failure: Failure | null;
  reload(): Promise<void>;
}

/** Reads the template, and again whenever a build of one begins or ends, and after a gap in the events. */
export function useTemplate(): KnownTemplate {
  const api = useApi();
  const { operations, stream } = useFleetState();
  const [known, setKnown] = useState<Omit<KnownTemplate, "reload">>({ template: undefined, failure: null });
  const builds = [...operations.values()]
    .filter(({ kind }) => kind === "template_build")
    .map(({ id, state }) => `${id} ${state}`)
    .join();
  const reload = useCallback(async () => {
    try {
      setKnown({ template: await api.call(getTemplate, {}), failure: null });
    } catch (error) {
      setKnown((before) => ({ ...before, failure: describeError(error) }));
    }
  }, [api]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each of them may have changed what the answer is
  useEffect(() => {
    if (stream === "live") void reload();
  }, [reload, stream, builds]);
  return { ...known, reload };
}

/** What a person should know of the template before making a sandbox; undefined: all is well. */
export type TemplateConcern = "missing" | "building" | "outdated";

export function concernOf(template: Template | undefined): TemplateConcern | undefined {
  if (!template) return undefined;
  if (template.state !== "ready") return template.build === null ? "missing" : "building";
  return template.outdated && template.build === null ? "outdated" : undefined;
}
