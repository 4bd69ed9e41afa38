import { unreachable } from "@berth/base";
import type { FailedCall } from "./error.ts";
import type { FailureOf, ProxmoxFailure } from "./failure.ts";

/** What happened, in one sentence for people. */
export function describeFailure(failure: ProxmoxFailure, call: FailedCall): string {
  const where = call.method && call.path ? ` (${call.method} ${call.path})` : "";
  return `${sentence(failure)}${where}`;
}

function sentence(failure: ProxmoxFailure): string {
  switch (failure.kind) {
    case "unreachable":
      return `Proxmox at ${failure.address} cannot be reached: ${failure.detail}`;
    case "certificate":
      return describeCertificate(failure);
    case "unauthorized":
      return `Proxmox does not accept the credentials of ${failure.principal}: ${failure.detail}`;
    case "forbidden":
      return describeForbidden(failure);
    case "invalid":
      return describeInvalid(failure);
    case "timeout":
      return failure.phase === "headers"
        ? `Proxmox did not answer within ${failure.timeoutMs} ms`
        : `Proxmox began its answer but did not finish it within ${failure.timeoutMs} ms`;
    case "protocol":
      return `The answer is not what Proxmox VE answers: ${failure.detail}`;
    case "settings":
      return failure.detail;
    case "locked":
    case "lock_timeout":
    case "exists":
    case "missing":
    case "running":
    case "not_running":
    case "protected":
    case "modified":
    case "node_offline":
    case "other":
      return `Proxmox says: ${failure.detail}`;
    default:
      return unreachable(failure);
  }
}

function describeCertificate(failure: FailureOf<"certificate">): string {
  if (failure.expected.length === 0) {
    return `The certificate of Proxmox at ${failure.address} is not trusted: ${failure.detail}`;
  }
  const seen = failure.seen ?? "none";
  return `The certificate of Proxmox at ${failure.address} is not the pinned one: its fingerprint is ${seen}, expected was ${failure.expected.join(" or ")}`;
}

function describeForbidden(failure: FailureOf<"forbidden">): string {
  if (failure.privileges.length === 0) return `${failure.principal} may not do this: ${failure.detail}`;
  const where = failure.objectPath === undefined ? "" : ` on ${failure.objectPath}`;
  return `${failure.principal} lacks the privilege ${failure.privileges.join(" or ")}${where}`;
}

function describeInvalid(failure: FailureOf<"invalid">): string {
  const fields = Object.entries(failure.errors).map(([name, text]) => `${name}: ${text}`);
  return `Proxmox refused the parameters: ${fields.length > 0 ? fields.join("; ") : failure.detail}`;
}

/** What a person can do about it, in a sentence or two. */
export function hintFor(failure: ProxmoxFailure, call: FailedCall): string {
  switch (failure.kind) {
    case "unreachable":
      return "Check the address (PROXMOX_URL, usually https://<node>:8006), that the node is up, and that no firewall is between.";
    case "certificate":
      return certificateHint(failure);
    case "unauthorized":
      return unauthorizedHint(failure);
    case "forbidden":
      return forbiddenHint(failure);
    case "invalid":
      return "A parameter does not suit this version of Proxmox VE; the message names it.";
    case "locked":
      return "Something else works on it. It is free when that task ends; a lock that a crash left behind is removed on its node with: pct unlock <vmid>";
    case "lock_timeout":
      return "The node or its storage is busy. Try again in a moment.";
    case "exists":
      return `Choose another id than ${failure.vmid}.`;
    case "missing":
      return "It was removed or has moved to another node; look it up in the cluster's resources.";
    case "running":
      return "Stop it first.";
    case "not_running":
      return "Start it first.";
    case "protected":
      return "Switch its protection off in Proxmox (Options, Protection) if it may go.";
    case "modified":
      return "It was changed meanwhile. Read it again and repeat.";
    case "node_offline":
      return "The node is down or cut off from the cluster; see pvecm status on another node.";
    case "timeout":
      return call.mayHaveActed
        ? "The call may have acted all the same: look before repeating it."
        : "The node may be overloaded; try again.";
    case "protocol":
      return "Check that the address (PROXMOX_URL) is that of a Proxmox VE node (usually https://<node>:8006), not another service or a proxy's error page.";
    case "settings":
      return "Correct the setting and start again.";
    case "other":
      return "The node's task log and journalctl -u pvedaemon say more.";
    default:
      return unreachable(failure);
  }
}

function certificateHint(failure: FailureOf<"certificate">): string {
  const compare = "compare with the node's System, Certificates panel or: pvenode cert info";
  if (failure.seen === undefined) return `No certificate could be read; check PROXMOX_URL, and ${compare}.`;
  if (failure.expected.length > 0) {
    return `If the node's certificate was renewed, set PROXMOX_FINGERPRINT=${failure.seen} (now ${failure.expected.join(",")}), or confirm it in the console's set-up, after you ${compare}. If it was not, somebody may be in between.`;
  }
  return `Set PROXMOX_FINGERPRINT=${failure.seen} to pin it, or confirm it in the console's set-up, after you ${compare}; or let this machine trust the cluster's CA.`;
}

function unauthorizedHint(failure: FailureOf<"unauthorized">): string {
  const [user = "", token] = failure.principal.split("!");
  if (token === undefined) return "Check the user name, its realm (user@pam, user@pve) and the password.";
  return `Check the token's id and secret (PROXMOX_TOKEN_ID, PROXMOX_TOKEN_SECRET), and on a node that the token exists and has not expired: pveum user token list ${user}`;
}

/** With a privilege-separated token the rights are the intersection of user's and token's, so both lines are given. */
function forbiddenHint(failure: FailureOf<"forbidden">): string {
  const [privilege] = failure.privileges;
  if (privilege === undefined) {
    return `See what it may do, on a node: pveum user permissions ${failure.principal}. Some things are for root@pam alone.`;
  }
  const path = failure.objectPath ?? "/";
  const role = `Berth-${privilege}`;
  const [user = failure.principal] = failure.principal.split("!");
  const grants = [`pveum acl modify ${path} --users '${user}' --roles ${role}`];
  if (failure.principal.includes("!")) {
    grants.push(`pveum acl modify ${path} --tokens '${failure.principal}' --roles ${role}`);
  }
  return `On a node: pveum role add ${role} --privs ${privilege}; ${grants.join("; ")}`;
}
