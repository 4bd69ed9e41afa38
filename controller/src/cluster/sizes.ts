/** The GiB of a size as Proxmox writes it: `512M`, `8G`, `1T`. Undefined for anything else. */
export function gibOf(size: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([MGT])$/.exec(size ?? "");
  if (!match) return undefined;
  const factor = { M: 1 / 1024, G: 1, T: 1024 }[match[2] as "M" | "G" | "T"];
  return Number(match[1]) * factor;
}
