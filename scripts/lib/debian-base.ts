import { cachedBase } from "../../packages/pve-emulator/src/backend/lxc/open.ts";

/** Makes the Debian of real containers unless this machine has it: for who does not want to wait for it later. */
const report = (line: string): boolean => process.stderr.write(`berth: ${line}\n`);
await cachedBase({ report, signal: new AbortController().signal });
