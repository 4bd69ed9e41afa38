export {
  assemblePayload,
  findClaude,
  findPayload,
  type Payload,
  PayloadMissing,
  type PayloadSources,
} from "./payload.ts";
export { type Unit, unitFile, unitLink, unitPath, units } from "./units.ts";
