import manifest from "../package.json" with { type: "json" };

/** The version of this build, told in `hello` and by the bootstrap. */
export const agentVersion: string = manifest.version;
