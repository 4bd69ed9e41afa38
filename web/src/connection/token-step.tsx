import { getPreparation, proxmoxNameSchema } from "@berth/protocol";
import { type FormEvent, useEffect, useState } from "react";
import { Value } from "typebox/value";
import { useApi } from "../api/context.tsx";
import { Cure } from "../doctor/cure.tsx";
import "../doctor/doctor.css";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import type { StepProps } from "./connection-page.tsx";
import { isTokenId, isTokenSecret } from "./draft.ts";

/** Shows what makes an API token, and asks for it. */
export function TokenStep({ draft, onChange, onGo }: StepProps) {
  const { tokenId, pool, secret } = draft;
  const [tried, setTried] = useState(false);
  const poolWrong = pool !== "" && !Value.Check(proxmoxNameSchema, pool) ? "Not a name that Proxmox takes." : undefined;
  const idWrong = isTokenId(tokenId) ? undefined : "It is user@realm!name, such as berth@pve!berth.";
  const secretWrong = isTokenSecret(secret)
    ? undefined
    : "It is the UUID that Proxmox shows once, when the token is made.";
  const lines = usePreparation(idWrong || poolWrong ? undefined : { tokenId, pool });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!idWrong && !secretWrong && !poolWrong) onGo("checks");
  };
  return (
    <form className="form" onSubmit={submit} autoComplete="off">
      <h2>An API token for Berth</h2>
      <p>
        These lines make a pool, a user and a token that may do what Berth needs, in that pool. If you have a token
        already, enter it below.
      </p>
      <div className="field-pair">
        <Field
          label="Token id"
          className="mono-input"
          value={tokenId}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          maxLength={256}
          wrong={idWrong}
          onChange={(event) => onChange({ tokenId: event.target.value.trim() })}
        />
        <Field
          label="Pool"
          className="mono-input"
          value={pool}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          maxLength={64}
          wrong={poolWrong}
          onChange={(event) => onChange({ pool: event.target.value.trim() })}
        />
      </div>
      {lines === undefined ? <div className="skeleton lines-skeleton" aria-busy="true" /> : <Cure fix={lines} />}
      <Field
        label="Secret of the token"
        className="mono-input"
        type="password"
        value={secret}
        autoComplete="off"
        maxLength={64}
        wrong={tried ? secretWrong : undefined}
        note="The last line shows it, once, as “value”. Berth keeps it in its data directory, and shows it to nobody."
        onChange={(event) => onChange({ secret: event.target.value.trim() })}
      />
      <div className="step-actions">
        <Button onClick={() => onGo("certificate")}>Back</Button>
        <Button look="primary" type="submit">
          Check the connection
        </Button>
      </div>
    </form>
  );
}

/** Milliseconds without a key before the lines are asked for. */
const pauseMs = 250;

/** The lines for a shell of the Proxmox host; undefined: not known yet. */
function usePreparation(names: { tokenId: string; pool: string } | undefined): string | undefined {
  const api = useApi();
  const [lines, setLines] = useState<{ of: string; text: string } | undefined>(undefined);
  const { tokenId, pool } = names ?? {};
  useEffect(() => {
    if (tokenId === undefined || pool === undefined) return;
    let over = false;
    const timer = setTimeout(async () => {
      const query = { tokenId, ...(pool === "" ? {} : { pool }) };
      const answer = await api.call(getPreparation, { query }).catch(() => undefined);
      if (!over && answer) setLines({ of: `${tokenId} ${pool}`, text: answer.lines });
    }, pauseMs);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [api, tokenId, pool]);
  // Those of other names would make something else.
  return lines?.of === `${tokenId} ${pool}` ? lines.text : undefined;
}
