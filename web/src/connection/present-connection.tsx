import { type Connection, forgetConnection } from "@berth/protocol";
import { Fragment, type ReactNode, useState } from "react";
import { useApi } from "../api/context.tsx";
import { Link } from "../app/link.tsx";
import { connectionPath } from "../app/route.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Fingerprint } from "./fingerprint.tsx";
import { untilMoved } from "./use-connection.ts";

/** The Proxmox that is used, and the ways to another one. */
export function PresentConnection({ connection, onMoved }: { connection: Connection; onMoved: () => void }) {
  const [asking, setAsking] = useState(false);
  const api = useApi();
  const forget = async () => {
    await api.call(forgetConnection, {});
    await untilMoved(api, connection);
    onMoved();
  };
  const { source, occupants } = connection;
  return (
    <>
      <p className="connection-words">{words[source]}</p>
      <Facts connection={connection} />
      {source !== "environment" && (
        <div className="connection-actions">
          <Link href={connectionPath("address")} className="button button-primary">
            {source === "bundled" ? "Connect your Proxmox" : "Set it up anew"}
          </Link>
          {source === "kept" && <Button onClick={() => setAsking(true)}>Use the bundled one again</Button>}
        </div>
      )}
      {source !== "environment" && occupants > 0 && (
        <p className="quiet">
          {occupants === 1 ? "One container of Berth’s is" : `${occupants} containers of Berth’s are`} on it: while that
          is so, Berth does not change to another Proxmox. A new address, token or certificate of this one can be set
          up.
        </p>
      )}
      {asking && (
        <ConfirmDialog
          title="Use the bundled Proxmox again?"
          action="Use the bundled one"
          onConfirm={forget}
          onClose={() => setAsking(false)}
        >
          What is saved of {connection.urls.join(", ")} is deleted here. Nothing is changed there.
        </ConfirmDialog>
      )}
    </>
  );
}

const words: Record<Connection["source"], string> = {
  bundled:
    "Berth uses the small Proxmox that it brings along, on this machine. Connect your own, and sandboxes are containers there.",
  kept: "Berth uses the Proxmox that was set up here.",
  environment:
    "Set by the environment: PROXMOX_URL and its neighbours say which Proxmox is used. Change them there, and start Berth again.",
};

function Facts({ connection }: { connection: Connection }) {
  const { source, urls, tokenId, fingerprints, pool, storage, bridge, vlan, savedAt } = connection;
  const ours = source !== "bundled";
  const pins = fingerprints.map((fingerprint) => <Fingerprint key={fingerprint} fingerprint={fingerprint} />);
  const rows: readonly (readonly [label: string, value: ReactNode])[] = [
    [urls.length === 1 ? "Address" : "Addresses", urls.map((url) => <span key={url}>{url}</span>)],
    ["Certificate", ours && (pins.length > 0 ? pins : "by an authority that vouches for it")],
    ["API token", ours && tokenId],
    ["Pool", pool],
    ["Storage", storage],
    ["Bridge", bridge],
    ["VLAN", vlan],
    ["Saved", savedAt !== null && new Date(savedAt).toLocaleString()],
  ];
  return (
    <dl className="facts">
      {rows
        .filter(([, value]) => value !== null && value !== false)
        .map(([label, value]) => (
          <Fragment key={label}>
            <dt>{label}</dt>
            <dd className="mono connection-values">{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
