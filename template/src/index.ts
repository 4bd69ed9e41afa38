export {
  assemblePayload,
  findClaude,
  findPayload,
  type Payload,
  PayloadMissing,
  type PayloadSources,
} from "./payload.ts";
export { type Unit, units } from "./units.ts";
