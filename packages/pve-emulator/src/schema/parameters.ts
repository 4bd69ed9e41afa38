import { configId, dnsName, nodeName, poolId, storageId } from "./formats.ts";

/** Parameters that many calls share. */
export const node = { type: "string", format: nodeName } as const;
export const vmid = { type: "integer", minimum: 100, maximum: 999_999_999 } as const;
export const optionalVmid = { ...vmid, optional: true } as const;
export const snapshotName = { type: "string", format: configId, maxLength: 40 } as const;
export const storage = { type: "string", format: storageId } as const;
export const pool = { type: "string", format: poolId } as const;
export const digest = { type: "string", maxLength: 40, optional: true } as const;
export const hostname = { type: "string", format: dnsName, maxLength: 255, optional: true } as const;
export const flag = { type: "boolean", optional: true } as const;
export const text = { type: "string", optional: true } as const;
/** A count that is not negative. */
export const count = { type: "integer", minimum: 0, optional: true } as const;
export const bandwidthLimit = { type: "number", minimum: 0, optional: true } as const;
