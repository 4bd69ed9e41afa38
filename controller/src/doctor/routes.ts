import { getDoctor } from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import type { Doctor } from "./doctor.ts";

export function doctorRoutes(api: Api, doctor: Doctor): void {
  mount(api, getDoctor, () => doctor.report());
}
