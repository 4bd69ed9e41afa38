import { type Clock, systemClock } from "@berth/base";
import { describeProvisionLine, parseProvisionLine } from "../provision/progress.ts";

/** How long nothing may be told of a build that goes on, in milliseconds. */
const silenceMs = 15_000;
/** What of mmdebstrap's own account people care for. */
const phases =
  /^I: (downloading packages|extracting archives|installing essential|installing remaining|creating tarball)/;

/** Of all that mmdebstrap and its programs say, tells the phases, what there is to know, and now and then a sign of life. */
export function buildProgress(
  report: (line: string) => void,
  clock: Pick<Clock, "now"> = systemClock,
): (line: string) => void {
  let toldAt = clock.now();
  const tell = (line: string): void => {
    toldAt = clock.now();
    report(line);
  };
  return (line) => {
    const own = parseProvisionLine(line);
    const text = own ? describeProvisionLine(own) : undefined;
    if (text !== undefined) tell(text);
    else if (phases.test(line)) tell(line.slice("I: ".length).replace(/\.*$/, ""));
    else if (!own && line !== "" && clock.now() - toldAt >= silenceMs) tell(line.replace(/^I: /, ""));
  };
}
