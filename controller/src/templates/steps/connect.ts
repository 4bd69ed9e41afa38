import { StepFailure } from "../../sandboxes/failures.ts";
import { hostKeysOf } from "../host-keys.ts";
import { reach } from "../session.ts";
import type { BuildStep } from "./dependencies.ts";

/** Reads the container's host keys from the log of its making, and signs in for the first time. */
export const connect: BuildStep = async (deps, row, operation, signal) => {
  const hostKeys = hostKeysOf(await deps.journal.proxmoxText(operation, "create"));
  if (hostKeys.length === 0) {
    throw new StepFailure(
      {
        code: "host_key_unknown",
        message: `Proxmox did not say which SSH host keys it gave the container ${row.vmid}, so nothing would prove that it is the one that answers.`,
        hint: "Build from Debian's own standard template, which has an SSH server; the log of the step “create” says what Proxmox did.",
      },
      { retry: false },
    );
  }
  const connection = await reach(deps, row, hostKeys, signal);
  connection.close();
  await deps.templates.change(row, { host_keys: JSON.stringify(hostKeys) });
  const text = `signed in to ${row.address}, whose host key is ${connection.hostKeyFingerprint}, as Proxmox said`;
  await deps.journal.log(operation, "connect", "berth", text);
};
