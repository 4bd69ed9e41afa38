export type {
  ContainerPlace,
  ContainerResource,
  Permissions,
  ProxmoxNode,
  ProxmoxPool,
  ProxmoxVersion,
} from "./api/cluster.ts";
export { ClusterApi } from "./api/cluster.ts";
export type { ContainerConfig, ContainerConfigChange } from "./api/container-config.ts";
export type { CreateOptions } from "./api/container-creation.ts";
export { type CloneOptions, type ContainerRef, type ContainerStatus, ContainersApi } from "./api/containers.ts";
export type { ContainerAddress } from "./api/interfaces.ts";
export { type ApplianceTemplate, NodesApi, type ProxmoxBridge } from "./api/nodes.ts";
export type { ClusterRoom, ContainerUse, NodeRoom, StorageRoom } from "./api/room.ts";
export { type ContainerSnapshot, SnapshotsApi } from "./api/snapshots.ts";
export { type OsTemplate, type ProxmoxStorage, StoragesApi } from "./api/storages.ts";
export {
  type ListedTask,
  type TaskFilter,
  type TaskLogLine,
  type TaskLogPage,
  type TaskStatus,
  TasksApi,
} from "./api/tasks.ts";
export { type ProxmoxCredentials, parseApiToken } from "./auth/credentials.ts";
export { ProxmoxClient } from "./client.ts";
export { type FailedCall, isProxmoxError, ProxmoxError } from "./error.ts";
export type { FailureOf, ProxmoxFailure, ProxmoxFailureKind } from "./failure.ts";
export { lookAtCertificate, type PresentedCertificate } from "./http/presented-certificate.ts";
export { type CertificateTrust, normaliseFingerprint, parseFingerprints } from "./http/trust.ts";
export { formatPropertyString, type Properties, parsePropertyString } from "./property-string.ts";
export { type ParsedUpid, parseUpid } from "./task/upid.ts";
export { type TaskResult, type TaskSource, type WaitOptions, waitForTask } from "./task/wait.ts";
export { type ApiAnswer, type ApiCall, Transport } from "./transport.ts";
export type { CallOptions, TransportOptions } from "./transport-options.ts";
