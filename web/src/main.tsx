import { createRoot } from "react-dom/client";
import { createApi } from "./api/client.ts";
import { App } from "./app/app.tsx";
import { trackViewport } from "./app/viewport.ts";
import { Session } from "./session/session.ts";
import { takeSetupToken } from "./session/setup-token.ts";
import "./ui/base.css";
import "./ui/controls.css";

const setupToken = takeSetupToken(window.location, window.history);
const api = createApi(() => session.expired());
const session: Session = new Session(api, setupToken);
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
trackViewport();
void session.begin();
createRoot(root).render(<App api={api} session={session} />);
