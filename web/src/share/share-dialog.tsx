import {
  createShare,
  deleteShare,
  everyPage,
  listShares,
  type Share,
  shareLifetimes,
  type Terminal,
} from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useNow } from "../api/use-now.ts";
import { useList } from "../settings/use-list.ts";
import { Button } from "../ui/button.tsx";
import { copyText } from "../ui/clipboard.ts";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import { Icon } from "../ui/icon.tsx";
import { durationWords } from "./duration-words.ts";
import "../settings/settings.css";
import "./share.css";

const hour = 3600;
const lifetimes: readonly { seconds: number; label: string }[] = [
  { seconds: hour, label: "An hour" },
  { seconds: 8 * hour, label: "8 hours" },
  { seconds: shareLifetimes.defaultSeconds, label: "A day" },
  { seconds: 7 * 24 * hour, label: "A week" },
  { seconds: shareLifetimes.maxSeconds, label: "30 days" },
];

/** Links by which others may look at a terminal: made, copied once, revoked. */
export function ShareDialog({ terminal, name, onClose }: { terminal: Terminal; name: string; onClose: () => void }) {
  const api = useApi();
  const list = useList(() => everyPage((query) => api.call(listShares, { params: { id: terminal.id }, query })));
  const [made, setMade] = useState<string | undefined>(undefined);
  const revoke = useCall(async (share: Share) => {
    await api.call(deleteShare, { params: { id: terminal.id, shareId: share.id } });
    await list.reload();
  });
  const failure = revoke.failure ?? list.failure;
  return (
    <Dialog title={`Share ${name}`} onClose={onClose}>
      <p className="quiet">
        Whoever has the link sees this terminal as it is, without an account, until the link expires. They cannot type.
      </p>
      <NewShare
        terminalId={terminal.id}
        onMade={(url) => {
          setMade(url);
          void list.reload();
        }}
      />
      {made !== undefined && <NewLink url={made} />}
      {failure && <FailureNote failure={failure} />}
      {list.items && list.items.length > 0 && (
        <ul className="records" aria-label="Shares">
          {list.items.map((share) => (
            <ShareRecord key={share.id} share={share} onRevoke={() => void revoke.run(share)} />
          ))}
        </ul>
      )}
      <div className="dialog-actions">
        <Button onClick={onClose}>Done</Button>
      </div>
    </Dialog>
  );
}

function NewShare({ terminalId, onMade }: { terminalId: string; onMade: (url: string) => void }) {
  const api = useApi();
  const [name, setName] = useState("");
  const [seconds, setSeconds] = useState<number>(shareLifetimes.defaultSeconds);
  const create = useCall(async () => {
    const body = { expiresInSeconds: seconds, ...(name.trim() === "" ? {} : { name: name.trim() }) };
    onMade((await api.call(createShare, { params: { id: terminalId }, body })).url);
    setName("");
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void create.run();
  };
  return (
    <form className="inline-form" onSubmit={submit}>
      <Field
        label="For (optional)"
        value={name}
        maxLength={100}
        autoComplete="off"
        onChange={(event) => setName(event.target.value)}
      />
      <label className="field">
        <span>Expires after</span>
        <select value={seconds} onChange={(event) => setSeconds(Number(event.target.value))}>
          {lifetimes.map((lifetime) => (
            <option key={lifetime.label} value={lifetime.seconds}>
              {lifetime.label}
            </option>
          ))}
        </select>
      </label>
      <Button type="submit" look="primary" busy={create.pending}>
        Make a link
      </Button>
      {create.failure && <FailureNote failure={create.failure} />}
    </form>
  );
}

/** The link that was just made; it is not shown again. */
function NewLink({ url }: { url: string }) {
  const [copied, setCopied] = useState<string | undefined>(undefined);
  const isCopied = copied === url;
  return (
    <div className="new-secret" role="status">
      <p>
        <strong>Copy the link now.</strong> It is not shown again.
      </p>
      <code className="secret mono">{url}</code>
      <div>
        <Button look="primary" onClick={async () => setCopied((await copyText(url)) ? url : undefined)}>
          <Icon name={isCopied ? "check" : "copy"} /> {isCopied ? "Copied" : "Copy the link"}
        </Button>
      </div>
    </div>
  );
}

function ShareRecord({ share, onRevoke }: { share: Share; onRevoke: () => void }) {
  const now = useNow(15_000);
  const ago = share.lastUsedAt === null ? undefined : Math.max(0, now - Date.parse(share.lastUsedAt));
  const left = Date.parse(share.expiresAt) - now;
  const facts = [
    left > 0 ? `expires in ${durationWords(left)}` : "expired",
    ago === undefined ? "never used" : `last used ${ago < 60_000 ? "just now" : `${durationWords(ago)} ago`}`,
    ...(share.guests > 0 ? [`${share.guests} watching`] : []),
  ];
  return (
    <li className="record">
      <span className="record-name">{share.name || "A link"}</span>
      <span className="record-facts">{facts.join(" · ")}</span>
      <Button onClick={onRevoke} aria-label={`Revoke ${share.name || "the link"}`}>
        Revoke
      </Button>
    </li>
  );
}
