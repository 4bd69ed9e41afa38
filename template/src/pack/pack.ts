import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BootstrapKeys } from "@berth/base/node";
import { payloadArchive } from "../payload/archive.ts";
import type { Payload } from "../payload.ts";
import { provisionScript } from "../provision/provision-script.ts";
import { templateVersion } from "../template-version.ts";

/** Names of the two files in the folder that `build-with-pct.sh` takes. */
export const packedFiles = { payload: "payload.tar", script: "provision.sh" } as const;

/**
 * Writes what is needed to make a template by hand: the payload, and the script that provisions Debian with it. The
 * script holds the bootstrap's private host key, so it is for its owner alone.
 */
export async function pack(folder: string, payload: Payload, keys: BootstrapKeys): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const script = provisionScript({
    optional: [],
    version: templateVersion(payload),
    bootstrap: { hostPrivateKey: keys.host.privateKey, clientPublicKey: keys.client.publicKey },
  });
  const scriptPath = join(folder, packedFiles.script);
  await rm(scriptPath, { force: true });
  await writeFile(scriptPath, script, { mode: 0o600, flag: "wx" });
  const path = join(folder, packedFiles.payload);
  await pipeline(payloadArchive(payload), createWriteStream(`${path}.part`, { mode: 0o600 }));
  await rename(`${path}.part`, path);
}
