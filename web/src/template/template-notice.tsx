import { Link } from "../app/link.tsx";
import { templatePath } from "../app/route.ts";
import { useSandboxes } from "../fleet/context.tsx";
import { Icon } from "../ui/icon.tsx";
import { concernOf, useTemplate } from "./use-template.ts";

/** Says above the pages that sandboxes cannot be made, or would be made from something old. */
export function TemplateNotice() {
  const concern = concernOf(useTemplate().template);
  const fleet = useSandboxes();
  switch (concern) {
    case undefined:
    case "building":
      return null;
    case "missing":
      // An empty fleet's page says the same.
      if (fleet.length === 0) return null;
      return (
        <div className="banner" role="status" data-template={concern}>
          <Icon name="alert" />
          <p>
            <strong>There is no template to clone sandboxes from.</strong> <Link href={templatePath}>Build it</Link>: it
            takes a few minutes, once.
          </p>
        </div>
      );
    case "outdated":
      return (
        <div className="banner" role="status" data-template={concern}>
          <Icon name="alert" />
          <p>
            <strong>The template is older than this Berth.</strong> <Link href={templatePath}>Rebuild it</Link>: your
            sandboxes stay as they are, and new ones get what is new.
          </p>
        </div>
      );
  }
}
