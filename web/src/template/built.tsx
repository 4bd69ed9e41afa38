import { type BuiltTemplate, deleteTemplate, type Template } from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";

export interface BuiltProps {
  template: Template;
  /** One of them was deleted. */
  onDeleted: () => Promise<void>;
}

/** Those that were built; old ones stay for the sandboxes that share their disk, until somebody deletes them. */
export function Built({ template, onDeleted }: BuiltProps) {
  const [chosen, setChosen] = useState<BuiltTemplate | undefined>(undefined);
  return (
    <section className="built" aria-labelledby="built-title">
      <h2 id="built-title">Built here</h2>
      <ul className="records">
        {template.templates.map((one) => (
          <Row key={one.id} built={one} onDelete={() => setChosen(one)} />
        ))}
      </ul>
      {chosen && <DeleteDialog built={chosen} onDeleted={onDeleted} onClose={() => setChosen(undefined)} />}
    </section>
  );
}

function Row({ built, onDelete }: { built: BuiltTemplate; onDelete: () => void }) {
  const { vmid, node, version, builtAt, current, sandboxes } = built;
  return (
    <li className="record">
      <span className="record-name mono">{vmid}</span>
      <span className="record-facts">
        {node} · <span className="mono">{version}</span> · {new Date(builtAt).toLocaleDateString()} ·{" "}
        {sandboxes === 1 ? "1 sandbox" : `${sandboxes} sandboxes`}
      </span>
      {current ? (
        <span className="state-badge" data-tone="good">
          Current
        </span>
      ) : (
        <Button aria-label={`Delete the template ${vmid}`} onClick={onDelete}>
          Delete…
        </Button>
      )}
    </li>
  );
}

function DeleteDialog({
  built: { vmid, node },
  onDeleted,
  onClose,
}: {
  built: BuiltTemplate;
  onDeleted: BuiltProps["onDeleted"];
  onClose: () => void;
}) {
  const api = useApi();
  return (
    <ConfirmDialog
      title={`Delete the template ${vmid}?`}
      action="Delete it"
      onConfirm={async () => {
        await api.call(deleteTemplate, { params: { vmid } });
        await onDeleted();
      }}
      onClose={onClose}
    >
      Its container on {node} is removed. New sandboxes are cloned from a newer one already.
    </ConfirmDialog>
  );
}
