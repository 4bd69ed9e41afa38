import { writeFileAtomic } from "@berth/base/node";
import { createKey, everyPage, listKeys, listSandboxes, type SshGateway, sshGateway } from "@berth/protocol";
import type { Session } from "../session.ts";
import { knownHosts, ownPublicKey, type SshConfigFacts, type SshFiles, sshConfig, sshFiles } from "./files.ts";

/** What OpenSSH needs to reach sandboxes, all of it there. */
export interface PreparedSsh {
  readonly files: SshFiles;
  readonly gateway: SshGateway;
  readonly facts: SshConfigFacts;
}

/**
 * Sees to it that this machine's key is registered and that the gateway's host key is pinned, by word of the controller,
 * whose own connection is verified.
 */
export async function prepareSsh(session: Session): Promise<PreparedSsh> {
  const { signal, environment } = session;
  const { client, url } = await session.controller();
  const profile = await session.profileInUse();
  const files = sshFiles(environment.configDir, profile);
  const publicKey = await ownPublicKey(files, `berth on ${environment.hostname}`);
  const keys = await everyPage((query) => client.call(listKeys, { query }, { signal }));
  if (!keys.some((known) => sameKey(known.publicKey, publicKey))) {
    await client.call(createKey, { body: { name: `berth on ${environment.hostname}`, publicKey } }, { signal });
  }
  const gateway = await client.call(sshGateway, {}, { signal });
  const sandboxes = await everyPage((query) => client.call(listSandboxes, { query }, { signal }));
  const facts = { gateway, files, profile, sandboxes, url };
  await writeFileAtomic(files.knownHosts, knownHosts(facts), 0o600);
  await writeFileAtomic(files.config, sshConfig(facts), 0o600);
  return { files, gateway, facts };
}

/** Keys are the same whatever their comments. */
function sameKey(one: string, other: string): boolean {
  return one.split(" ").slice(0, 2).join(" ") === other.split(" ").slice(0, 2).join(" ");
}
