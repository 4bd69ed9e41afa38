import { useEffect } from "react";
import { Link } from "../app/link.tsx";
import { doctorPath } from "../app/route.ts";
import { useCheckup, useDoctor } from "../doctor/context.tsx";
import { verdict } from "../doctor/doctor-page.tsx";
import { countsOf } from "../doctor/findings.ts";
import { Icon } from "../ui/icon.tsx";

const maxAgeMs = 5 * 60_000;

/** In a line how the doctor found everything, and the way there. */
export function DoctorSummary() {
  const doctor = useDoctor();
  const { checks, failure } = useCheckup();
  useEffect(() => void doctor.lookIfOlder(maxAgeMs), [doctor]);
  const counts = checks && countsOf(checks);
  const tone = !counts ? "rest" : counts.failed > 0 ? "bad" : counts.warning + counts.unknown > 0 ? "warn" : "good";
  return (
    <Link className="doctor-summary" href={doctorPath} data-tone={tone}>
      <Icon name={tone === "good" ? "check" : "alert"} />
      <span>
        <strong>Doctor</strong> {counts ? verdict(counts) : (failure?.message ?? "Looking at everything…")}
      </span>
      <Icon name="right" />
    </Link>
  );
}
