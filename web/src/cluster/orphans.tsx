import { adoptOrphan, adoptOrphans, type Operation, type Orphan, randomKey, type Sandbox } from "@berth/protocol";
import { useMemo, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useFleet } from "../fleet/context.tsx";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { AdoptDialog } from "./adopt-dialog.tsx";
import { Adoptions } from "./adoptions.tsx";
import { useOrphans } from "./use-orphans.ts";

/** A sandbox that an orphan became here, and the work that followed. */
export interface Adopted {
  readonly sandbox: Sandbox;
  readonly operation: Operation;
}

/** Containers of Berth's that belong to no sandbox, and how they become sandboxes again. Nothing where there are none. */
export function Orphans({ userId }: { userId: string }) {
  const { value: orphans, failure, reload } = useOrphans(false);
  const [asked, setAsked] = useState<readonly Orphan[] | undefined>(undefined);
  const [adopted, setAdopted] = useState<readonly Adopted[]>([]);
  const adopt = useAdoption((made) => {
    setAdopted((before) => [...before, ...made]);
    void reload();
  });
  const able = orphans?.filter(({ obstacle }) => obstacle === null) ?? [];
  if ((orphans ?? []).length + adopted.length === 0 && !failure) return null;
  return (
    <section className="cluster-part" aria-labelledby="orphans-title">
      <h2 id="orphans-title">Containers without a sandbox</h2>
      <p className="quiet">
        Berth made them, as they say in a signed note of their own, and no sandbox here has them: such as after its
        database was lost. They are left as they are until you adopt them.
      </p>
      {failure && <FailureNote failure={failure} />}
      {orphans?.length === 0 && <p>Every container of Berth’s belongs to a sandbox.</p>}
      {orphans && orphans.length > 0 && (
        <ul className="records">
          {orphans.map((orphan) => (
            <OrphanRow key={orphan.vmid} orphan={orphan} onAdopt={() => setAsked([orphan])} />
          ))}
        </ul>
      )}
      {able.length > 1 && <Button onClick={() => setAsked(able)}>Adopt all {able.length}…</Button>}
      {adopted.length > 0 && <Adoptions adopted={adopted} userId={userId} />}
      {asked && <AdoptDialog orphans={asked} onAdopt={() => adopt(asked)} onClose={() => setAsked(undefined)} />}
    </section>
  );
}

function OrphanRow({ orphan, onAdopt }: { orphan: Orphan; onAdopt: () => void }) {
  const { vmid, node, name, owner, power, obstacle } = orphan;
  return (
    <li className="record" data-orphan={vmid}>
      <span className="record-name mono">{name ?? vmid}</span>
      <span className="record-facts">
        <span className="mono">
          {node}/{vmid}
        </span>{" "}
        · {power} · {owner === null ? "whose it was, it does not say" : `was ${owner}’s`}
        {obstacle !== null && <span className="record-obstacle">{obstacle}</span>}
      </span>
      {obstacle === null && (
        <Button onClick={onAdopt} aria-label={`Adopt ${name ?? vmid}`}>
          Adopt…
        </Button>
      )}
    </li>
  );
}

/** Adopts one, or all that can be. Pressed again after a lost answer, it adopts nothing twice. */
function useAdoption(onAdopted: (adopted: readonly Adopted[]) => void): (orphans: readonly Orphan[]) => Promise<void> {
  const api = useApi();
  const fleet = useFleet();
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was adopted is followed by another request
  const prefix = useMemo(() => `adopt-${randomKey()}`, [turn]);
  return async (orphans) => {
    const [only, ...others] = orphans;
    if (!only) return;
    const idempotencyKey = `${prefix}-${others.length === 0 ? only.vmid : "all"}`;
    const adopted =
      others.length === 0
        ? [await api.call(adoptOrphan, { params: { vmid: only.vmid } }, { idempotencyKey })]
        : (await api.call(adoptOrphans, {}, { idempotencyKey })).items;
    for (const { operation } of adopted) fleet.put("operations", operation);
    setTurn((before) => before + 1);
    onAdopted(adopted);
  };
}
