import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundledTemplateKeys, readTextIfExists } from "@berth/base/node";
import { guestPaths } from "@berth/protocol";
import { assemblePayload, type Payload } from "@berth/template";
import { type ContainerFiles, renewIdentity } from "./container-files.ts";
import { guestUser } from "./guest-files.ts";

/** Where a template's root says which payload it was made from. */
const versionFile = "etc/berth-template";

/** Makes the template's root unless it is of this payload already. Answers whether it made one. */
export async function buildTemplateRoot(files: ContainerFiles, payload: Payload, secret: string): Promise<boolean> {
  await files.repair();
  const stored = await readTextIfExists(join(files.root, versionFile));
  if (stored?.trim() === payload.version) return false;
  const draft = `${files.root}.new`;
  await files.discard(draft);
  await mkdir(draft, { recursive: true, mode: 0o755 });
  await assemblePayload(draft, payload, guestUser());
  await renewIdentity(draft);
  await writeBootstrapKeys(draft, secret);
  await writeFile(join(draft, versionFile), `${payload.version}\n`);
  await files.install(draft, files.root);
  return true;
}

/** The keys that the controller can work out too, from the secret of its own token. */
async function writeBootstrapKeys(root: string, secret: string): Promise<void> {
  const { host, client } = bundledTemplateKeys(secret);
  const hostKey = join(root, guestPaths.sshHostKey);
  await mkdir(join(root, "etc/ssh"), { recursive: true });
  await writeFile(hostKey, host.privateKey, { mode: 0o600 });
  await chmod(hostKey, 0o600);
  await writeFile(`${hostKey}.pub`, `${host.publicKey}\n`);
  await writeFile(join(root, guestPaths.authorizedKeys), `${client.publicKey}\n`, { mode: 0o600 });
}
