import { getDoctor } from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { doctorOf, type Patient } from "./of-controller.ts";

export function doctorRoutes(api: Api, patient: Patient): void {
  const doctor = doctorOf(patient);
  mount(api, getDoctor, () => doctor.report());
}
