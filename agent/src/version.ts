import manifest from "../package.json" with { type: "json" };

/** The version of this build, told in `hello`. */
export const agentVersion: string = manifest.version;
