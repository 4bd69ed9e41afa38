import { createRoot } from "react-dom/client";
import { createApi } from "./api/client.ts";
import { App } from "./app/app.tsx";
import { trackViewport } from "./app/viewport.ts";
import { Session } from "./session/session.ts";
import { takeSetupToken } from "./session/setup-token.ts";
import { GuestPage } from "./share/guest-page.tsx";
import { shareTokenOf } from "./share/share-token.ts";
import "./ui/base.css";
import "./ui/controls.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
trackViewport();
const shareToken = shareTokenOf(window.location);
createRoot(root).render(shareToken === undefined ? consoleOf() : <GuestPage token={shareToken} />);

function consoleOf() {
  const setupToken = takeSetupToken(window.location, window.history);
  const api = createApi(() => session.expired());
  const session: Session = new Session(api, setupToken);
  void session.begin();
  return <App api={api} session={session} />;
}
