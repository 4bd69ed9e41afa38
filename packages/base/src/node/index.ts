export { type BootstrapKeys, bundledTemplateKeys } from "./bundled-template.ts";
export { DirectoryInUse, DirectoryLock } from "./directory-lock.ts";
export { isErrno, makePrivateDirectory, readTextIfExists, syncDirectory, writeFileAtomic } from "./files.ts";
export { garbageCollection } from "./garbage-collection.ts";
export { identifyProcess, isProcessIdentity, isRunning, type ProcessIdentity } from "./process-identity.ts";
export * from "./ssh-certificate.ts";
export { deriveSecret, ed25519FromSeed, type SshKeyPair, sshFingerprint, sshKeyPair } from "./ssh-key.ts";
export * from "./ssh-wire.ts";
