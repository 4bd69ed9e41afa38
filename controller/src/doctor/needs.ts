/** What Berth needs at one path of Proxmox, under a role of its own. */
export interface Need {
  readonly role: string;
  readonly path: string;
  readonly privileges: readonly string[];
  /** What for, after "to …". */
  readonly purpose: string;
  /** Without it Berth works, but for that purpose. */
  readonly optional?: true;
}

/** Where Berth's things are, as far as that is known. */
export interface Places {
  readonly pool: string | undefined;
  /** The templates that sandboxes are cloned from; `found`: it is there, and may be seen. */
  readonly templates: readonly { readonly vmid: number; readonly found: boolean }[];
  /** Where the disks of sandboxes go; undefined: not known. */
  readonly storage: string | undefined;
  /** Where Debian's template is or is downloaded to. */
  readonly archives: string;
  readonly bridge: string;
  readonly vlan: number | undefined;
  readonly nodes: readonly string[];
}

const sandboxPrivileges = [
  "VM.Allocate",
  "VM.Clone",
  "VM.Audit",
  "VM.PowerMgmt",
  "VM.Config.CPU",
  "VM.Config.Memory",
  "VM.Config.Network",
  "VM.Config.Options",
  "VM.Config.Disk",
  "VM.Snapshot",
  "VM.Snapshot.Rollback",
];

/** Every privilege that Berth needs anywhere, for one role that has them all. */
export const everyPrivilege: readonly string[] = [
  ...sandboxPrivileges,
  "Datastore.AllocateSpace",
  "Datastore.AllocateTemplate",
  "Datastore.Audit",
  "SDN.Use",
  "Sys.Audit",
];

/** The least that Berth's token has to be allowed, path by path. */
export function needsOf(places: Places): readonly Need[] {
  const { pool, templates, storage, archives, bridge, vlan, nodes } = places;
  return [
    {
      ...{ role: "BerthSandboxes", path: pool === undefined ? "/vms" : `/pool/${pool}` },
      ...{ privileges: sandboxPrivileges, purpose: "make, run, change, copy and destroy sandboxes" },
    },
    ...templates.map(({ vmid, found }) => ({
      ...{ role: "BerthTemplate", path: `/vms/${vmid}`, privileges: ["VM.Audit", "VM.Clone"] },
      ...{ purpose: "clone sandboxes from the template", ...(found ? {} : { optional: true as const }) },
    })),
    {
      ...{ role: "BerthStorage", path: storage === undefined ? "/storage" : `/storage/${storage}` },
      ...{ privileges: ["Datastore.Audit", "Datastore.AllocateSpace"], purpose: "make disks of sandboxes" },
    },
    {
      ...{ role: "BerthNetwork", path: `/sdn/zones/localnetwork/${bridge}${vlan === undefined ? "" : `/${vlan}`}` },
      ...{ privileges: ["SDN.Use"], purpose: "connect sandboxes to the bridge" },
    },
    ...nodes.map((node) => ({
      ...{ role: "BerthNodes", path: `/nodes/${node}`, privileges: ["Sys.Audit"] },
      optional: true as const,
      purpose: "see the node's load",
    })),
    {
      ...{ role: "BerthArchives", path: `/storage/${archives}` },
      optional: true,
      ...{ privileges: ["Datastore.Audit", "Datastore.AllocateTemplate"] },
      purpose: "download Debian's template when a template is built",
    },
  ];
}
