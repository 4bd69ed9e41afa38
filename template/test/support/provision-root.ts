import { fetchedParts } from "../../src/provision/options.ts";
import { provisionBelow } from "../../src/provision/provision-below.ts";

/** Provisions the root that is its first argument as often as the second says; the keys are the third and the fourth. */
const [root = "", times = "1", hostPrivateKey = "", clientPublicKey = ""] = process.argv.slice(2);
for (let run = 0; run < Number(times); run += 1) {
  await provisionBelow(root, {
    optional: fetchedParts,
    version: "0123456789abcdef",
    bootstrap: { hostPrivateKey, clientPublicKey },
    report: (line) => process.stdout.write(`${line}\n`),
  });
}
