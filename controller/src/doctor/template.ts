import type { DoctorCheck } from "@berth/protocol";
import type { ContentsFinder } from "../templates/contents.ts";
import type { TemplateFinder, TemplateState } from "../templates/finder.ts";
import { fine, troubled } from "./check.ts";

const subject = { id: "template", title: "Template" };
const build = "berth template build";

/** Whether there is something to clone sandboxes from, and whether it is what a build would make now. */
export async function checkTemplate(
  state: TemplateState,
  { finder, contents }: { finder: TemplateFinder; contents: ContentsFinder },
): Promise<DoctorCheck> {
  switch (state.kind) {
    case "missing":
      return troubled(subject, "failed", `There is no template ${finder.vmid} that the token may see.`, build);
    case "unusable":
      return troubled(subject, "failed", `${finder.vmid} on ${state.node} cannot be used: ${state.reason}.`, build);
    case "ready": {
      const { vmid, node, contents: inside } = state.facts;
      const latest = await contents.version();
      if (inside === undefined) return fine(subject, `${vmid} on ${node}; which version it is, it does not say.`);
      const what = `${vmid} on ${node} has the version ${inside.version}`;
      if (latest === undefined || latest === inside.version) return fine(subject, `${what}.`);
      return troubled(subject, "warning", `${what}, and one built now would have ${latest}.`, build);
    }
  }
}
