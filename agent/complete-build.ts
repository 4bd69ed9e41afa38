import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import manifest from "./package.json" with { type: "json" };

// Completes what tsdown has built: the program that is a shell's, and the version of the others.

const dist = (name: string) => new URL(`./dist/${name}`, import.meta.url);
/** What the bundles leave outside, with what that loads in turn. */
const nativeModules = ["node-pty", "bufferutil", "node-gyp-build"];

/** Of the same version are the same programs, so it is made of their contents; the first half is for people. */
function versionOfBuild(): string {
  const require = createRequire(import.meta.url);
  const hash = createHash("sha256");
  for (const program of ["agent.mjs", "pty-host.mjs"]) hash.update(readFileSync(dist(program)));
  for (const name of nativeModules) hash.update(readFileSync(require.resolve(`${name}/package.json`)));
  return `${manifest.version}+${hash.digest("hex").slice(0, 12)}`;
}

copyFileSync(new URL("./src/bootstrap/bootstrap.sh", import.meta.url), dist("bootstrap.sh"));
writeFileSync(dist("version"), `${versionOfBuild()}\n`);
