export { type BootstrapKeys, bundledTemplateKeys } from "./bundled-template.ts";
export { isErrno, makePrivateDirectory, readTextIfExists, syncDirectory, writeFileAtomic } from "./files.ts";
export { deriveSecret, ed25519FromSeed, type SshKeyPair, sshFingerprint, sshKeyPair } from "./ssh-key.ts";
