import { createKey, deleteKey, everyPage, listKeys, type SshKey } from "@berth/protocol";
import { type FormEvent, useId, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { useList } from "./use-list.ts";

/** SSH public keys that may sign in to the user's sandboxes. */
export function SshKeys() {
  const api = useApi();
  const list = useList(() => everyPage((query) => api.call(listKeys, { query })));
  const remove = useCall(async (key: SshKey) => {
    await api.call(deleteKey, { params: { id: key.id } });
    await list.reload();
  });
  const failure = remove.failure ?? list.failure;
  return (
    <section className="settings-part" aria-labelledby="keys-title">
      <h2 id="keys-title">SSH keys</h2>
      <p>Public keys that open all your sandboxes by SSH.</p>
      {failure && <FailureNote failure={failure} />}
      {list.items === undefined && list.failure === null && <div className="skeleton row-skeleton" aria-busy="true" />}
      {list.items?.length === 0 && <p className="quiet">No keys.</p>}
      {list.items && list.items.length > 0 && (
        <ul className="records">
          {list.items.map((key) => (
            <li key={key.id} className="record">
              <span className="record-name">{key.name}</span>
              <span className="record-facts mono">{key.fingerprint}</span>
              <Button onClick={() => void remove.run(key)} aria-label={`Remove ${key.name}`}>
                Remove
              </Button>
            </li>
          ))}
        </ul>
      )}
      <NewKey onMade={() => void list.reload()} />
    </section>
  );
}

function NewKey({ onMade }: { onMade: () => void }) {
  const api = useApi();
  const [publicKey, setPublicKey] = useState("");
  const id = useId();
  const create = useCall(async () => {
    await api.call(createKey, { body: { publicKey: publicKey.trim() } });
    setPublicKey("");
    onMade();
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void create.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <div className="field">
        <label htmlFor={id}>Public key</label>
        <textarea
          id={id}
          className="mono"
          rows={3}
          required
          minLength={20}
          maxLength={8192}
          spellCheck={false}
          placeholder="ssh-ed25519 AAAA… you@laptop"
          value={publicKey}
          onChange={(event) => setPublicKey(event.target.value)}
        />
      </div>
      {create.failure && <FailureNote failure={create.failure} />}
      <div>
        <Button type="submit" busy={create.pending}>
          Add the key
        </Button>
      </div>
    </form>
  );
}
