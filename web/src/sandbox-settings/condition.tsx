import { type Sandbox, updateSandbox } from "@berth/protocol";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useFleet } from "../fleet/context.tsx";
import { usePower } from "../fleet/sandbox-actions.tsx";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Note } from "../ui/note.tsx";
import { type Change, setBack, settingWords, takenOver, valueText } from "./change.ts";

/** What is not as its settings say: what failed, what waits for a restart, what somebody has changed in Proxmox. */
export function Condition({ sandbox }: { sandbox: Sandbox }) {
  return (
    <>
      {sandbox.state !== "ready" && sandbox.error && <FailureNote failure={sandbox.error} />}
      {sandbox.restartNeeded.length > 0 && <RestartNeeded sandbox={sandbox} />}
      {sandbox.drift.length > 0 && <ChangedByHand sandbox={sandbox} />}
    </>
  );
}

function RestartNeeded({ sandbox }: { sandbox: Sandbox }) {
  const power = usePower(sandbox);
  const words = sandbox.restartNeeded.map((setting) => settingWords[setting]).join(" and ");
  return (
    <Note title={`What was changed last counts from the next restart on: ${words}.`}>
      {power.failure && <FailureNote failure={power.failure} />}
      {sandbox.state === "ready" && (
        <>
          <p className="quiet">A restart ends what runs in it; Claude goes on with its conversations afterwards.</p>
          <div className="failure-actions">
            <Button busy={power.pending} onClick={() => void power.run("restart")}>
              Restart now
            </Button>
          </div>
        </>
      )}
    </Note>
  );
}

function ChangedByHand({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const fleet = useFleet();
  const { drift } = sandbox;
  const apply = useCall(async (body: Change) => {
    fleet.answer(await api.call(updateSandbox, { params: { id: sandbox.id }, body }));
  });
  const [over, back] = [takenOver(drift), setBack(drift)];
  return (
    <Note title="Somebody has changed this sandbox in Proxmox. Berth has left it so:">
      <ul className="losses">
        {drift.map(({ setting, wanted, found }) => (
          <li key={setting}>
            {settingWords[setting]}: <strong>{valueText(setting, found)}</strong> in Proxmox,{" "}
            {valueText(setting, wanted)} here
          </li>
        ))}
      </ul>
      {apply.failure && <FailureNote failure={apply.failure} />}
      <div className="failure-actions">
        {Object.keys(over).length > 0 && (
          <Button busy={apply.pending} onClick={() => void apply.run(over)}>
            Take over Proxmox’s
          </Button>
        )}
        {Object.keys(back).length > 0 && (
          <Button busy={apply.pending} onClick={() => void apply.run(back)}>
            Set back to Berth’s
          </Button>
        )}
      </div>
    </Note>
  );
}
