import { createToken, deleteToken, everyPage, listTokens, type Token } from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import { NewSecret } from "./new-secret.tsx";
import { useList } from "./use-list.ts";

const lifetimes: readonly { days: number | undefined; label: string }[] = [
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "A year" },
  { days: undefined, label: "No end" },
];

/** API tokens: made, shown once, revoked. */
export function Tokens() {
  const api = useApi();
  const list = useList(() => everyPage((query) => api.call(listTokens, { query })));
  const [secret, setSecret] = useState<string | undefined>(undefined);
  const revoke = useCall(async (token: Token) => {
    await api.call(deleteToken, { params: { id: token.id } });
    await list.reload();
  });
  const failure = revoke.failure ?? list.failure;
  return (
    <section className="settings-part" aria-labelledby="tokens-title">
      <h2 id="tokens-title">API tokens</h2>
      <p>
        For scripts and the command line, sent as <code>Authorization: Bearer</code>. A token can do what you can.
      </p>
      {secret !== undefined && <NewSecret secret={secret} onDone={() => setSecret(undefined)} />}
      {failure && <FailureNote failure={failure} />}
      {list.items === undefined && list.failure === null && <div className="skeleton row-skeleton" aria-busy="true" />}
      {list.items?.length === 0 && <p className="quiet">No tokens.</p>}
      {list.items && list.items.length > 0 && (
        <ul className="records">
          {list.items.map((token) => (
            <li key={token.id} className="record">
              <span className="record-name">{token.name}</span>
              <span className="record-facts">{tokenFacts(token)}</span>
              <Button onClick={() => void revoke.run(token)} aria-label={`Revoke ${token.name}`}>
                Revoke
              </Button>
            </li>
          ))}
        </ul>
      )}
      <NewToken
        onMade={(made) => {
          setSecret(made);
          void list.reload();
        }}
      />
    </section>
  );
}

function NewToken({ onMade }: { onMade: (secret: string) => void }) {
  const api = useApi();
  const [name, setName] = useState("");
  const [days, setDays] = useState<number | undefined>(90);
  const create = useCall(async () => {
    const body = { name: name.trim(), ...(days === undefined ? {} : { expiresInDays: days }) };
    onMade((await api.call(createToken, { body })).token);
    setName("");
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void create.run();
  };
  return (
    <form className="inline-form" onSubmit={submit}>
      <Field label="Name" value={name} required maxLength={100} onChange={(event) => setName(event.target.value)} />
      <label className="field">
        <span>Expires after</span>
        <select
          value={days ?? ""}
          onChange={(event) => setDays(event.target.value ? Number(event.target.value) : undefined)}
        >
          {lifetimes.map((lifetime) => (
            <option key={lifetime.label} value={lifetime.days ?? ""}>
              {lifetime.label}
            </option>
          ))}
        </select>
      </label>
      <Button type="submit" busy={create.pending}>
        Make a token
      </Button>
      {create.failure && <FailureNote failure={create.failure} />}
    </form>
  );
}

function tokenFacts(token: Token): string {
  const day = (instant: string) => new Date(instant).toLocaleDateString();
  const used = token.lastUsedAt === null ? "never used" : `last used ${day(token.lastUsedAt)}`;
  return `${used} · ${token.expiresAt === null ? "no end" : `until ${day(token.expiresAt)}`}`;
}
