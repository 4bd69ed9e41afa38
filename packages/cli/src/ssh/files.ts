import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { makePrivateDirectory, readTextIfExists, sshKeyPair, writeFileAtomic } from "@berth/base/node";
import { claudeSuffix, guestUser, type Sandbox, type SshGateway } from "@berth/protocol";

/** Where a profile's SSH files are. */
export interface SshFiles {
  readonly folder: string;
  readonly config: string;
  readonly knownHosts: string;
  readonly key: string;
}

export function sshFiles(configDir: string, profile: string): SshFiles {
  const folder = join(configDir, "ssh", profile);
  return {
    folder,
    config: join(folder, "config"),
    knownHosts: join(folder, "known_hosts"),
    key: join(folder, "id_ed25519"),
  };
}

/** The public key of this machine's own key pair, which is made if there is none. */
export async function ownPublicKey(files: SshFiles, comment: string): Promise<string> {
  const known = await readTextIfExists(`${files.key}.pub`);
  // Both halves, or a new pair: a lone half came of a crash in between.
  if (known !== undefined && (await readTextIfExists(files.key)) !== undefined) return known.trim();
  await makePrivateDirectory(files.folder);
  const { privateKey, publicKey } = sshKeyPair(randomBytes(32), comment);
  await writeFileAtomic(files.key, privateKey, 0o600);
  await writeFileAtomic(`${files.key}.pub`, `${publicKey}\n`, 0o644);
  return publicKey;
}

/** What sandboxes are called in the user's own configuration: `web.berth`, or `web.lab.berth` of another profile. */
export function hostAlias(sandbox: string, profile: string): string {
  return profile === "default" ? `${sandbox}.berth` : `${sandbox}.${profile}.berth`;
}

/** The gateway's own name in the configuration, by which it is jumped through and lists sandboxes. */
function gatewayHost(profile: string): string {
  return profile === "default" ? "berth" : `${profile}.berth`;
}

/** What of a sandbox a configuration says. */
export type ConfiguredSandbox = Pick<Sandbox, "id" | "name" | "state" | "error" | "address" | "sshPort">;

export interface SshConfigFacts {
  readonly gateway: SshGateway;
  readonly files: SshFiles;
  readonly profile: string;
  readonly sandboxes: readonly ConfiguredSandbox[];
  /** The console's address, said in a comment. */
  readonly url: string;
}

/** A configuration of OpenSSH for the gateway and each sandbox through it. */
export function sshConfig({ gateway, files, profile, sandboxes, url }: SshConfigFacts): string {
  const gatewayAlias = gatewayHost(profile);
  const hosts = sandboxes.map((sandbox) => hostsOf(sandbox, { profile, gatewayAlias }));
  const through = [gatewayAlias, ...hosts.flatMap((host) => host.through)];
  const own = hosts.flatMap((host) => host.own);
  return `# Sandboxes of ${url}. Written by berth ssh-config, which writes it anew.
Host ${[...through, ...own].join(" ")}
  IdentityFile ${quoted(files.key)}
  IdentitiesOnly yes
  UserKnownHostsFile ${quoted(files.knownHosts)}
  StrictHostKeyChecking yes
  ServerAliveInterval 15
  ServerAliveCountMax 4

Host ${through.join(" ")}
  HostName ${gateway.host}
  Port ${gateway.port}

Host ${gatewayAlias}
  User ${gateway.user}
${hosts.map(({ text }) => text).join("")}`;
}

/** A sandbox's hosts: those through the gateway, and its own SSH server by its address or by a jump. */
function hostsOf({ name, address, sshPort }: ConfiguredSandbox, place: { profile: string; gatewayAlias: string }) {
  const alias = hostAlias(name, place.profile);
  const [claude, direct, jump] = ["claude", "direct", "jump"].map((kind) => `${kind}.${alias}`);
  // Certificates name the sandbox, wherever it is.
  const itself = `  HostKeyAlias ${name}
  User ${guestUser}
`;
  const text = `
Host ${alias}
  User ${name}
Host ${claude}
  User ${name}${claudeSuffix}
  RequestTTY yes
Host ${jump}
  HostName ${name}
  ProxyJump ${place.gatewayAlias}
${itself}`;
  if (address === null) return { through: [alias, claude], own: [jump], text };
  const directly = `Host ${direct}
  HostName ${address}
  Port ${sshPort}
${itself}`;
  return { through: [alias, claude], own: [jump, direct], text: `${text}${directly}` };
}

/** The gateway's host key, and the authority that signs the sandboxes' own. */
export function knownHosts({ gateway, sandboxes }: SshConfigFacts): string {
  const names = sandboxes.map(({ name }) => name);
  const authority = names.length === 0 ? "" : `@cert-authority ${names.join(",")} ${gateway.certAuthority}\n`;
  return `${gateway.gatewayKnownHosts}\n${authority}`;
}

/** A path as a configuration of OpenSSH takes it: `%` begins a token there, and quotes hold blanks. */
function quoted(path: string): string {
  return `"${path.replaceAll("%", "%%")}"`;
}
