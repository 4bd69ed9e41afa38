import { resolve } from "node:path";
import { bundledTemplateKeys } from "@berth/base/node";
import { findPayload, PayloadMissing } from "../payload.ts";
import { pack, packedFiles } from "./pack.ts";

const usage = `Usage: PROXMOX_TOKEN_SECRET=… npm run pack -w @berth/template -- FOLDER

Writes ${packedFiles.payload} and ${packedFiles.script} into the folder, for template/build-with-pct.sh on a Proxmox host.
PROXMOX_TOKEN_SECRET is that of the controller's API token: the keys of the first contact are derived from it, on both
sides. Afterwards remove the folder: ${packedFiles.script} holds one of these keys.
`;

async function main(words: readonly string[]): Promise<number> {
  const [folder, ...rest] = words;
  const wantsHelp = folder === "--help" || folder === "-h";
  if (folder === undefined || wantsHelp || folder.startsWith("-") || rest.length > 0) {
    (wantsHelp ? process.stdout : process.stderr).write(usage);
    return wantsHelp ? 0 : 2;
  }
  const secret = process.env.PROXMOX_TOKEN_SECRET;
  if (secret === undefined || secret === "") {
    process.stderr.write("PROXMOX_TOKEN_SECRET is not set: it must be the one that the controller has.\n");
    return 2;
  }
  try {
    // npm runs this in the package's own folder, and says where it was called.
    const target = resolve(process.env.INIT_CWD ?? ".", folder);
    await pack(target, await findPayload(), bundledTemplateKeys(secret));
    process.stdout.write(`${target} is ready: copy it to the Proxmox host and run build-with-pct.sh there.\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof PayloadMissing)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
