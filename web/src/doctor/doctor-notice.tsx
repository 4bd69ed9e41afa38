import { useEffect } from "react";
import { Link } from "../app/link.tsx";
import { doctorPath } from "../app/route.ts";
import { useFleetState } from "../fleet/context.tsx";
import { Icon } from "../ui/icon.tsx";
import { useCheckup, useDoctor } from "./context.tsx";
import { hindrances } from "./findings.ts";

/** How old what is known may be, and how often that is thought of, in milliseconds. */
const maxAgeMs = 5 * 60_000;
const everyMs = 30_000;
/** How many failures are named. */
const maxNamed = 2;

/** Says above the fleet what keeps sandboxes from being made, and looks for that now and then. */
export function DoctorNotice() {
  const doctor = useDoctor();
  const { stream } = useFleetState();
  const { checks } = useCheckup();
  useEffect(() => {
    if (stream !== "live") return;
    const look = () => {
      if (document.visibilityState === "visible") void doctor.lookIfOlder(maxAgeMs);
    };
    look();
    const timer = setInterval(look, everyMs);
    return () => clearInterval(timer);
  }, [doctor, stream]);
  const failed = hindrances(checks ?? []);
  if (failed.length === 0) return null;
  const named = failed.slice(0, maxNamed).map(({ title }) => title);
  const more = failed.length > maxNamed ? ` and ${failed.length - maxNamed} more` : "";
  return (
    <div className="banner" role="status" data-notice="doctor">
      <Icon name="alert" />
      <p>
        <strong>New sandboxes may fail.</strong> Not as it should be: {named.join(", ")}
        {more}. <Link href={doctorPath}>See what mends it</Link>
      </p>
    </div>
  );
}
