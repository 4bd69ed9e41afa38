import type { DoctorCheck } from "@berth/protocol";

/** Of these, one node that has it will do. */
const perNode = ["storage:", "bridge:"];
/** What is only said, and keeps nobody. */
const tolerated = ["archives:", "template", "orphans"];

/** Whether a connection with these checks can be used: sandboxes can be made on some node at least. */
export function isUsable(checks: readonly DoctorCheck[]): boolean {
  return hindrance(checks) === undefined;
}

/** The first check that keeps a connection from being used. */
export function hindrance(checks: readonly DoctorCheck[]): DoctorCheck | undefined {
  const bad = checks.filter(({ state }) => state === "failed" || state === "unknown");
  const single = bad.find(
    ({ id }) => ![...perNode, ...tolerated].some((prefix) => id.startsWith(prefix)) && !isSpareAddress(id, checks),
  );
  if (single) return single;
  for (const prefix of perNode) {
    const of = checks.filter(({ id }) => id.startsWith(prefix));
    const first = bad.find(({ id }) => id.startsWith(prefix));
    if (first && of.every((check) => bad.includes(check))) return first;
  }
  return undefined;
}

/** An address that is away while another one answers: nothing is known of its certificate and version. */
function isSpareAddress(id: string, checks: readonly DoctorCheck[]): boolean {
  const [, url] = /^(?:certificate|version):(.*)$/.exec(id) ?? [];
  const check = checks.find((one) => one.id === id);
  return (
    url !== undefined &&
    check?.state === "unknown" &&
    checks.some((one) => one.id === `proxmox:${url}` && one.state === "warning")
  );
}
