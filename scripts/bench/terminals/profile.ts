import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { Inspector } from "./inspector.ts";

const nodeSchema = Type.Object({
  id: Type.Integer(),
  callFrame: Type.Object({ functionName: Type.String() }),
  children: Type.Optional(Type.Array(Type.Integer())),
});
const profileSchema = Type.Object({
  profile: Type.Object({
    nodes: Type.Array(nodeSchema),
    samples: Type.Array(Type.Integer()),
    timeDeltas: Type.Array(Type.Integer()),
  }),
});
type Profile = Static<typeof profileSchema>["profile"];

/** Not working. */
const idle = "(idle)";

/**
 * Which share of a Node process's work is a function and what it calls, while something is done: 0 to 1. A share, since
 * the profiler's milliseconds are the clock's, of which a machine that is busy gives a process but a part. Needs a free
 * port 9229.
 */
export function profiledShare(pid: number, functionName: string, work: () => Promise<void>): Promise<number> {
  return Inspector.inspect(pid, async (inspector) => {
    await inspector.call("Profiler.enable");
    await inspector.call("Profiler.start");
    await work();
    const answer = await inspector.call("Profiler.stop");
    if (!Value.Check(profileSchema, answer)) throw new Error("the profile has another form");
    return shareOf(answer.profile, functionName);
  });
}

function shareOf(profile: Profile, functionName: string): number {
  const wholeMs = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0) / 1000;
  const busyMs = wholeMs - within(profile, idle);
  return busyMs > 0 ? within(profile, functionName) / busyMs : 0;
}

function within({ nodes, samples, timeDeltas }: Profile, functionName: string): number {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const inside = new Set<number>();
  const visit = (id: number) => {
    if (inside.has(id)) return;
    inside.add(id);
    for (const child of byId.get(id)?.children ?? []) visit(child);
  };
  for (const { id, callFrame } of nodes) if (callFrame.functionName === functionName) visit(id);
  const microseconds = samples.reduce((sum, id, index) => sum + (inside.has(id) ? (timeDeltas[index] ?? 0) : 0), 0);
  return microseconds / 1000;
}
