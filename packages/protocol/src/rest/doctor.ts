import Type, { type Static } from "typebox";
import { nullable, route } from "./route.ts";

/** One thing that Berth needs, and how it is. */
export const doctorCheckSchema = Type.Object({
  /** The same at every call for the same thing: `privilege:/pool/berth:VM.Clone`. */
  id: Type.String(),
  /** What was looked at, a few words. */
  title: Type.String(),
  /** `warning`: it works, or may be meant so; `unknown`: it could not be looked at. */
  state: Type.Enum(["ok", "warning", "failed", "unknown"]),
  /** What was found, one sentence. */
  detail: Type.String(),
  /** What mends it: lines for a shell of a Proxmox host, or a sentence; null where there is nothing to mend. */
  fix: nullable(Type.String()),
});
export type DoctorCheck = Static<typeof doctorCheckSchema>;

/** What was found, in the order in which it is to be mended. */
export const doctorReportSchema = Type.Object({ checks: Type.Array(doctorCheckSchema) });
export type DoctorReport = Static<typeof doctorReportSchema>;

export const getDoctor = route({
  method: "GET",
  path: "/doctor",
  summary: "Look at everything that Berth needs, and say what mends what is missing",
  tag: "cluster",
  access: "user",
  status: 200,
  result: doctorReportSchema,
});
