import { getPool, maxPoolSize, type Pool, updatePool } from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useReading } from "../api/use-reading.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";

/** Milliseconds between two looks: a member takes some seconds to be made. */
const everyMs = 5_000;

/** The sandboxes that are made ahead, and how many there are to be. */
export function WarmPool() {
  const api = useApi();
  const { value: pool, failure, reload } = useReading(() => api.call(getPool, {}), everyMs);
  return (
    <section className="cluster-part" aria-labelledby="pool-title">
      <h2 id="pool-title">Warm pool</h2>
      {failure && <FailureNote failure={failure} />}
      {!pool && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {pool && <PoolFacts pool={pool} />}
      {pool && <SizeForm key={pool.size} size={pool.size} onSet={reload} />}
    </section>
  );
}

function PoolFacts({ pool: { size, ready, filling, failed } }: { pool: Pool }) {
  const empty = size === 0 && ready + filling === 0;
  return (
    <>
      {empty ? (
        <p className="quiet">
          No sandboxes are made ahead. With some, a new one is taken from there and is ready at once, instead of in some
          seconds; each takes the memory and the disk of a sandbox. <code>BERTH_POOL_SIZE</code> in the settings says
          how many, or you do here.
        </p>
      ) : (
        <p className="pool-counts" data-pool={`${size} ${ready} ${filling}`}>
          <strong>
            {ready} of {size}
          </strong>{" "}
          ready{filling > 0 && `, ${filling} being made`}
        </p>
      )}
      {failed && (
        <FailureNote failure={failed.reason}>
          {failed.count === 1 ? "One has failed." : `${failed.count} have failed in a row.`} Another is made after a
          while.
        </FailureNote>
      )}
    </>
  );
}

function SizeForm({ size, onSet }: { size: number; onSet: () => Promise<void> }) {
  const api = useApi();
  const [text, setText] = useState(String(size));
  const wanted = /^\d{1,3}$/.test(text.trim()) ? Number(text) : undefined;
  const wrong = wanted === undefined || wanted > maxPoolSize ? `A number from 0 to ${maxPoolSize}.` : undefined;
  const set = useCall(async (to: number) => {
    await api.call(updatePool, { body: { size: to } });
    await onSet();
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrong === undefined && wanted !== undefined) void set.run(wanted);
  };
  return (
    <form className="inline-form pool-form" onSubmit={submit}>
      <Field
        label="Made ahead"
        inputMode="numeric"
        value={text}
        wrong={wrong}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit" busy={set.pending} disabled={wrong !== undefined || wanted === size}>
        Set
      </Button>
      {set.failure && <FailureNote failure={set.failure} />}
    </form>
  );
}
