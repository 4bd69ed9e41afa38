const vm = [
  "VM.Allocate",
  "VM.Audit",
  "VM.Backup",
  "VM.Clone",
  "VM.Config.CPU",
  "VM.Config.Disk",
  "VM.Config.Memory",
  "VM.Config.Network",
  "VM.Config.Options",
  "VM.Console",
  "VM.Migrate",
  "VM.Monitor",
  "VM.PowerMgmt",
  "VM.Snapshot",
  "VM.Snapshot.Rollback",
];

/** Every privilege that the emulator knows. */
export const allPrivileges: readonly string[] = [
  ...vm,
  "Datastore.Allocate",
  "Datastore.AllocateSpace",
  "Datastore.AllocateTemplate",
  "Datastore.Audit",
  "Permissions.Modify",
  "Pool.Allocate",
  "Pool.Audit",
  "SDN.Allocate",
  "SDN.Audit",
  "SDN.Use",
  "Sys.Audit",
  "Sys.Console",
  "Sys.Modify",
  "Sys.PowerMgmt",
  "User.Modify",
];

/** What a controller of sandboxes needs, and no more; it has it on its template, pool, storage, bridge and node. */
export const controllerRole = "BerthController";

/** What a controller needs on the storage of archives, to build templates from them. */
export const templateRole = "BerthTemplates";

/** Privileges by role. */
export const roles: Readonly<Record<string, readonly string[]>> = {
  Administrator: allPrivileges,
  NoAccess: [],
  [controllerRole]: [
    "VM.Clone",
    "VM.Allocate",
    "VM.Audit",
    "VM.PowerMgmt",
    "VM.Config.Options",
    "VM.Config.CPU",
    "VM.Config.Network",
    "VM.Config.Memory",
    "VM.Config.Disk",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
    "VM.Backup",
    "VM.Console",
    "Datastore.AllocateSpace",
    "Datastore.Audit",
    "SDN.Use",
    "Pool.Audit",
    "Sys.Audit",
  ],
  [templateRole]: ["Datastore.Audit", "Datastore.AllocateTemplate"],
};
