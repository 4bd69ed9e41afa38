import { createContext, useContext } from "react";
import { useStore } from "../api/store.ts";
import type { Checkup, Doctor } from "./doctor.ts";

const DoctorContext = createContext<Doctor | undefined>(undefined);
/** Gives the components below it the doctor. */
export const DoctorProvider = DoctorContext.Provider;

/** The doctor, to have it look. */
export function useDoctor(): Doctor {
  const doctor = useContext(DoctorContext);
  if (!doctor) throw new Error("no DoctorProvider above");
  return doctor;
}

/** What its last look came to. */
export function useCheckup(): Checkup {
  return useStore(useDoctor().state);
}
