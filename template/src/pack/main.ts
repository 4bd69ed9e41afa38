import { isAbsolute } from "node:path";
import { text } from "node:stream/consumers";
import { bundledTemplateKeys } from "@berth/base/node";
import { findPayload, PayloadMissing } from "../payload.ts";
import { pack, packedFiles } from "./pack.ts";

const usage = `Usage: npm run pack -w @berth/template -- /absolute/FOLDER <SECRET

Writes ${packedFiles.payload} and ${packedFiles.script} into the folder, for template/build-with-pct.sh on a Proxmox host.
Standard input is the secret of the controller's API token (PROXMOX_TOKEN_SECRET): the keys of the first contact are
derived from it, on both sides. Afterwards remove the folder: ${packedFiles.script} holds one of these keys.
`;

async function main(words: readonly string[]): Promise<number> {
  const [folder, ...rest] = words;
  if (folder === "--help" || folder === "-h") {
    process.stdout.write(usage);
    return 0;
  }
  // npm runs this in the package's own folder, so a relative path would mean something else than it says.
  if (folder === undefined || !isAbsolute(folder) || rest.length > 0) {
    process.stderr.write(usage);
    return 2;
  }
  const secret = (await text(process.stdin)).trim();
  if (secret === "") {
    process.stderr.write("Standard input was empty: the secret of the controller's API token belongs there.\n");
    return 2;
  }
  try {
    await pack(folder, await findPayload(), bundledTemplateKeys(secret));
    process.stdout.write(`${folder} is ready: copy it to the Proxmox host and run build-with-pct.sh there.\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof PayloadMissing)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
