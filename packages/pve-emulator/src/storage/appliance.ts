const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The machine's architecture in Debian's words. */
export const architecture = architectures[process.arch] ?? "amd64";

/** An archive that a node offers to download, with the fields of PVE's index. */
export interface Appliance {
  readonly template: string;
  readonly package: string;
  readonly version: string;
  readonly type: "lxc";
  readonly os: string;
  readonly section: string;
  readonly architecture: string;
  readonly location: string;
  readonly source: string;
  readonly maintainer: string;
  readonly infopage: string;
  readonly headline: string;
  readonly description: string;
}

const template = `debian-12-standard_12.7-1_${architecture}.tar.zst`;

/** A plain Debian under the name that it has at Proxmox; made on this machine from Debian's own packages. */
export const debianAppliance: Appliance = {
  template,
  package: "debian-12-standard",
  version: "12.7-1",
  type: "lxc",
  os: "debian-12",
  section: "system",
  architecture,
  location: `mmdebstrap://bookworm/${template}`,
  source: "mmdebstrap://bookworm",
  maintainer: "Berth",
  infopage: "https://pve.proxmox.com/wiki/Linux_Container#pct_supported_distributions",
  headline: "Debian 12 Bookworm (standard)",
  description: "A small Debian Bookworm system including all standard packages.",
};
