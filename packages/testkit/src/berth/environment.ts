/** The test's own environment without what would set Berth up. */
export function environmentWithoutSettings(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(BERTH_|PROXMOX_|ANTHROPIC_|CLAUDE_|DATABASE_URL$)/.test(entry[0]),
  );
  return Object.fromEntries(entries);
}
