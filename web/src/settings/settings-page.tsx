import { useStore } from "../api/store.ts";
import { useCall } from "../api/use-call.ts";
import type { Session } from "../session/session.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { KeptWork } from "./kept-work.tsx";
import { ProxmoxPart } from "./proxmox-part.tsx";
import "./settings.css";
import { SshKeys } from "./ssh-keys.tsx";
import { Tokens } from "./tokens.tsx";

/** What belongs to the user: API tokens, SSH keys, work that was kept, the session; and the way to the connection to Proxmox. */
export function SettingsPage({ session }: { session: Session }) {
  const state = useStore(session.state);
  const signOut = useCall(() => session.signOut());
  return (
    <main className="page settings">
      <header className="page-head">
        <h1>Settings</h1>
      </header>
      <Tokens />
      <SshKeys />
      <KeptWork />
      <ProxmoxPart />
      <section className="settings-part" aria-labelledby="session-title">
        <h2 id="session-title">Session</h2>
        <p>
          Signed in as <strong>{state.phase === "signedIn" ? state.user.username : ""}</strong>. Signing out leaves your
          sandboxes and terminals running.
        </p>
        {signOut.failure && <FailureNote failure={signOut.failure} />}
        <Button busy={signOut.pending} onClick={() => void signOut.run()}>
          Sign out
        </Button>
      </section>
    </main>
  );
}
