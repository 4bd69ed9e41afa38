/** The Proxmox VE that the emulator speaks like. */
export const pveVersion = { version: "8.4.21", release: "8.4", repoid: "berth-emulator" } as const;
