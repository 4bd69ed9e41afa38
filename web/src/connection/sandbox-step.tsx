import { useState } from "react";
import { Link } from "../app/link.tsx";
import { fleetPath } from "../app/route.ts";
import { NewSandboxDialog } from "../fleet/new-sandbox-dialog.tsx";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";

/** The last step: the first sandbox. */
export function SandboxStep() {
  const [making, setMaking] = useState(false);
  return (
    <section className="form">
      <h2>All is ready</h2>
      <p>
        Your Proxmox is connected. A sandbox is a container of its own there; making one takes a few seconds, and then
        you are at Claude’s prompt.
      </p>
      <div className="step-actions">
        <Link href={fleetPath} className="button">
          Later
        </Link>
        <Button look="primary" onClick={() => setMaking(true)}>
          <Icon name="plus" /> Make the first sandbox
        </Button>
      </div>
      {making && <NewSandboxDialog onClose={() => setMaking(false)} />}
    </section>
  );
}
