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

/** Milliseconds that a Node process spends in a function and what it calls, while something is done. Needs a free port 9229. */
export function profiledMs(pid: number, functionName: string, work: () => Promise<void>): Promise<number> {
  return Inspector.inspect(pid, async (inspector) => {
    await inspector.call("Profiler.enable");
    await inspector.call("Profiler.start");
    await work();
    const answer = await inspector.call("Profiler.stop");
    if (!Value.Check(profileSchema, answer)) throw new Error("the profile has another form");
    return within(answer.profile, functionName);
  });
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
