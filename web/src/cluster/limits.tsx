import { getLimits, type LimitsInUse } from "@berth/protocol";
import { useApi } from "../api/context.tsx";
import { useReading } from "../api/use-reading.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import { bytesOfText, countText } from "./amounts.ts";
import { UsageBar } from "./usage-bar.tsx";

const everyMs = 15_000;
const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

type Uses = LimitsInUse["fleet"];
type Use = Uses["cores"];

const inBytes =
  (unit: number) =>
  ({ used, limit }: Use) =>
    bytesOfText(used * unit, limit === null ? null : limit * unit);
const inCount = ({ used, limit }: Use) => countText(used, limit);

const rows: readonly { readonly of: keyof Uses; readonly label: string; readonly text: (use: Use) => string }[] = [
  { of: "sandboxes", label: "Sandboxes", text: inCount },
  { of: "cores", label: "Cores", text: inCount },
  { of: "memoryMiB", label: "Memory", text: inBytes(mebibyte) },
  { of: "diskGiB", label: "Disk", text: inBytes(gibibyte) },
];

/** What all sandboxes, and one's own, come to, and how much they may. */
export function Limits() {
  const api = useApi();
  const { value, failure } = useReading(() => api.call(getLimits, {}), everyMs);
  return (
    <section className="cluster-part" aria-labelledby="limits-title">
      <h2 id="limits-title">In use</h2>
      {failure && <FailureNote failure={failure} />}
      {!value && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {value && <LimitTable limits={value} />}
    </section>
  );
}

function LimitTable({ limits: { fleet, mine } }: { limits: LimitsInUse }) {
  const unlimited = [fleet, mine].every((uses) => Object.values(uses).every(({ limit }) => limit === null));
  return (
    <>
      <table className="limits">
        <thead>
          <tr>
            <td />
            <th scope="col">In all</th>
            <th scope="col">Yours</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ of, label, text }) => (
            <tr key={of} data-limit={of}>
              <th scope="row">{label}</th>
              <LimitCell label={`${label} in all`} use={fleet[of]} text={text(fleet[of])} />
              <LimitCell label={`Your ${label.toLowerCase()}`} use={mine[of]} text={text(mine[of])} />
            </tr>
          ))}
        </tbody>
      </table>
      <p className="quiet part-note">
        Cores and memory count for sandboxes that run or sleep.
        {unlimited && " Nothing is limited: BERTH_MAX_SANDBOXES and its neighbours in the settings do that."}
      </p>
    </>
  );
}

function LimitCell({ label, use: { used, limit }, text }: { label: string; use: Use; text: string }) {
  return (
    <td>
      <span>{text}</span>
      {limit !== null && <UsageBar label={label} text={text} shares={[limit === 0 ? 1 : used / limit]} />}
    </td>
  );
}
