import type { Client } from "@berth/protocol";
import { useEffect, useMemo } from "react";
import { ApiProvider } from "../api/context.tsx";
import { useStore } from "../api/store.ts";
import { ClusterPage } from "../cluster/cluster-page.tsx";
import { OrphansNotice } from "../cluster/orphans-notice.tsx";
import { ConnectionPage } from "../connection/connection-page.tsx";
import { DoctorProvider } from "../doctor/context.tsx";
import { Doctor } from "../doctor/doctor.ts";
import { DoctorNotice } from "../doctor/doctor-notice.tsx";
import { DoctorPage } from "../doctor/doctor-page.tsx";
import { Banners } from "../fleet/banners.tsx";
import { FleetProvider } from "../fleet/context.tsx";
import { Fleet } from "../fleet/fleet.ts";
import { FleetPage } from "../fleet/fleet-page.tsx";
import { SandboxPage } from "../sandbox/sandbox-page.tsx";
import { GatePage } from "../session/gate-page.tsx";
import type { Session } from "../session/session.ts";
import { SetupPage } from "../session/setup-page.tsx";
import { SignInPage } from "../session/sign-in-page.tsx";
import { SettingsPage } from "../settings/settings-page.tsx";
import { TemplateNotice } from "../template/template-notice.tsx";
import { TemplatePage } from "../template/template-page.tsx";
import { Link } from "./link.tsx";
import { usePlace } from "./navigation.ts";
import { fleetPath } from "./route.ts";
import { TopBar } from "./top-bar.tsx";

export interface AppProps {
  api: Client;
  session: Session;
}

/** The console: a gate, and what is behind it. */
export function App({ api, session }: AppProps) {
  const state = useStore(session.state);
  switch (state.phase) {
    case "unknown":
      return <main className="gate" aria-busy="true" />;
    case "unreachable":
      return (
        <GatePage title="The controller does not answer">
          <p className="gate-wait" role="status">
            <span className="spinner" aria-hidden="true" /> Trying again…
          </p>
          <p className="gate-note">
            Check that it runs and that this device can reach it. Your sandboxes go on meanwhile.
          </p>
        </GatePage>
      );
    case "setup":
      return <SetupPage session={session} token={state.token} />;
    case "signedOut":
      return <SignInPage session={session} expired={state.expired} />;
    case "signedIn":
      return (
        <ApiProvider value={api}>
          <Console key={state.user.id} api={api} session={session} />
        </ApiProvider>
      );
  }
}

function Console({ api, session }: AppProps) {
  const fleet = useMemo(() => new Fleet(api), [api]);
  const doctor = useMemo(() => new Doctor(api), [api]);
  useEffect(() => {
    fleet.start();
    const poke = () => fleet.poke();
    window.addEventListener("online", poke);
    return () => {
      window.removeEventListener("online", poke);
      fleet.stop();
    };
  }, [fleet]);
  return (
    <FleetProvider value={fleet}>
      <DoctorProvider value={doctor}>
        <Place session={session} />
      </DoctorProvider>
    </FleetProvider>
  );
}

function Place({ session }: { session: Session }) {
  const place = usePlace();
  if (place.page === "sandbox") return <SandboxPage name={place.name} view={place.view} />;
  return (
    <div className="frame">
      <TopBar />
      <Banners />
      {place.page === "fleet" && <FleetNotices />}
      {place.page === "fleet" && <FleetPage />}
      {place.page === "cluster" && <ClusterPage session={session} />}
      {place.page === "doctor" && <DoctorPage />}
      {place.page === "template" && <TemplatePage />}
      {place.page === "connection" && <ConnectionPage step={place.step} />}
      {place.page === "settings" && <SettingsPage session={session} />}
      {place.page === "unknown" && <UnknownPage />}
    </div>
  );
}

/** What is worth knowing before one makes a sandbox. */
function FleetNotices() {
  return (
    <>
      <TemplateNotice />
      <DoctorNotice />
      <OrphansNotice />
    </>
  );
}

function UnknownPage() {
  return (
    <main className="page">
      <section className="empty">
        <h1>There is nothing at this address</h1>
        <p>
          <Link href={fleetPath}>All sandboxes</Link>
        </p>
      </section>
    </main>
  );
}
