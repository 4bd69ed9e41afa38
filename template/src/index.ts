export { DebianBaseMissing, type DebianBaseOptions, debianBase } from "./base/debian-base.ts";
export { CommandFailed } from "./command.ts";
export { payloadArchive, unpackCommand } from "./payload/archive.ts";
export { templatePaths } from "./payload/paths.ts";
export { type UpdateArchive, updateArchive } from "./payload/update-archive.ts";
export {
  assemblePayload,
  findClaude,
  findPayload,
  type Payload,
  PayloadMissing,
  type PayloadSources,
} from "./payload.ts";
export {
  type BootstrapFiles,
  type FetchedPart,
  fetchedParts,
  type ProvisionOptions,
} from "./provision/options.ts";
export {
  describeProvisionLine,
  type ProvisionLine,
  parseProvisionLine,
  type TemplateFacts,
  templateFactsSchema,
} from "./provision/progress.ts";
export { provisionScript } from "./provision/provision-script.ts";
export { readTemplateNote, templateNote } from "./template-note.ts";
export { templateVersion } from "./template-version.ts";
export { startedAtBoot, type Unit, type UnitFile, type UnitLink, unitFiles, unitLink, units } from "./units.ts";
