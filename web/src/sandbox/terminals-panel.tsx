import type { Sandbox, Terminal } from "@berth/protocol";
import type { AttachState } from "@berth/protocol/viewer";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useCall } from "../api/use-call.ts";
import { navigate } from "../app/navigation.ts";
import { sandboxPath } from "../app/route.ts";
import type { PickFiles } from "../terminal/files/terminal-files.tsx";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { CloseTerminalDialog } from "./close-terminal-dialog.tsx";
import { downloadRecording } from "./recording-download.ts";
import { TerminalMenu } from "./terminal-menu.tsx";
import { programName, tabNames } from "./terminal-names.ts";
import { TerminalTabs } from "./terminal-tabs.tsx";
import { usePageTitle } from "./use-page-title.ts";
import { useSandboxTerminals } from "./use-sandbox-terminals.ts";

// xterm.js is most of the console's code, and no other page needs it.
const TerminalView = lazy(() =>
  import("../terminal/terminal-view.tsx").then((module) => ({ default: module.TerminalView })),
);

export interface TerminalsPanelProps {
  sandbox: Sandbox;
  terminalId: string | undefined;
  /** Another view of the sandbox may be in front of them; they go on behind it. */
  seen: boolean;
  /** The connection of the terminal that is seen. */
  onState: (state: AttachState | undefined) => void;
}

/** The terminals of a sandbox: tabs, and the one that is seen. */
export function TerminalsPanel({ sandbox, terminalId, seen, onState }: TerminalsPanelProps) {
  const { terminals, loaded, failure, open, close, startAgain } = useSandboxTerminals(sandbox);
  const [states, setStates] = useState<ReadonlyMap<string, AttachState>>(new Map());
  const [titles, setTitles] = useState<ReadonlyMap<string, string>>(new Map());
  const [rang, setRang] = useState<ReadonlySet<string>>(new Set());
  const [closing, setClosing] = useState<Terminal | undefined>(undefined);
  const picker = useRef<PickFiles>(null);
  const bar = useRef<HTMLDivElement>(null);
  const active = terminals.find(({ id }) => id === terminalId) ?? terminals[0];
  const mounted = useMounted(active?.id, terminals);
  const names = tabNames(terminals);

  const select = (id: string | undefined) => navigate(sandboxPath(sandbox.name, id), { replace: true });
  const add = useCall(async (kind: "claude" | "shell") => select((await open(kind)).id));
  const again = useCall(async (terminal: Terminal) => select((await startAgain(terminal)).id));
  const remove = useCall(async (terminal: Terminal) => {
    const at = terminals.indexOf(terminal);
    await close(terminal);
    if (terminal === active) select((terminals[at + 1] ?? terminals[at - 1])?.id);
  });
  const save = useCall(downloadRecording);
  const state = active && states.get(active.id);
  useEffect(() => onState(state), [onState, state]);
  usePageTitle(
    sandbox.name,
    active && (titles.get(active.id) || active.title),
    active !== undefined && rang.has(active.id),
    seen,
  );
  const touched = () => setRang((before) => (active && before.has(active.id) ? without(before, active.id) : before));
  const shownFailure = add.failure ?? again.failure ?? remove.failure ?? save.failure ?? failure;

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: notes that the user is here, and takes nothing
    <div className="terminals" hidden={!seen} onFocus={touched} onKeyDown={touched} onPointerDown={touched}>
      <TerminalTabs
        terminals={terminals}
        names={names}
        activeId={active?.id}
        rang={rang}
        bar={bar}
        disabled={sandbox.state !== "ready"}
        onSelect={select}
        onClose={(terminal) => (terminal.state === "exited" ? void remove.run(terminal) : setClosing(terminal))}
        onOpen={(kind) => void add.run(kind)}
        onFiles={active && active.state !== "exited" ? () => picker.current?.() : undefined}
      >
        {active && (
          <TerminalMenu
            key={active.id}
            terminal={active}
            name={names.get(active.id) ?? active.kind}
            onDownload={() => void save.run(active.id)}
          />
        )}
      </TerminalTabs>
      {shownFailure && <FailureNote failure={shownFailure} />}
      {terminals.length === 0 && (
        <NoTerminals sandbox={sandbox} loaded={loaded} pending={add.pending} onOpen={add.run} />
      )}
      <Suspense
        fallback={
          <div className="terminal-loading" role="status">
            Opening the terminal…
          </div>
        }
      >
        {mounted.map((terminal) => (
          <div
            key={terminal.id}
            className="terminal-panel"
            role="tabpanel"
            id={`panel-${terminal.id}`}
            aria-labelledby={`tab-${terminal.id}`}
            hidden={terminal.id !== active?.id}
          >
            <TerminalView
              terminal={terminal}
              sandbox={sandbox}
              program={programName(terminal)}
              active={seen && terminal.id === active?.id}
              tabs={terminals.length}
              picker={picker}
              onTab={(index) => select(terminals[index]?.id)}
              onLeave={() => bar.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus()}
              onState={(next) => setStates((before) => new Map(before).set(terminal.id, next))}
              onTitle={(title) => setTitles((before) => new Map(before).set(terminal.id, title))}
              onBell={() => {
                if (!seen || terminal.id !== active?.id || !document.hasFocus())
                  setRang((before) => new Set(before).add(terminal.id));
              }}
              onStartAgain={() => void again.run(terminal)}
              onCloseTab={() => void remove.run(terminal)}
            />
          </div>
        ))}
      </Suspense>
      {closing && (
        <CloseTerminalDialog
          terminal={closing}
          name={names.get(closing.id) ?? "terminal"}
          onConfirm={async () => {
            if (!(await remove.run(closing))) throw new Error("The terminal could not be closed.");
          }}
          onClose={() => setClosing(undefined)}
        />
      )}
    </div>
  );
}

interface NoTerminalsProps {
  sandbox: Sandbox;
  loaded: boolean;
  pending: boolean;
  onOpen: (kind: "claude" | "shell") => Promise<boolean>;
}

function NoTerminals({ sandbox, loaded, pending, onOpen }: NoTerminalsProps) {
  if (!sandbox.agent.connected) {
    return (
      <div className="terminal-loading" role="status">
        Waiting for the sandbox’s agent to report…
      </div>
    );
  }
  if (!loaded) {
    return (
      <div className="terminal-loading" role="status">
        Opening Claude…
      </div>
    );
  }
  return (
    <section className="empty">
      <h2>No terminal is open</h2>
      <div className="empty-actions">
        <Button look="primary" busy={pending} onClick={() => void onOpen("claude")}>
          Open Claude
        </Button>
        <Button busy={pending} onClick={() => void onOpen("shell")}>
          Open a shell
        </Button>
      </div>
    </section>
  );
}

/** Terminals that were seen on this page keep their screen and connection behind the others. */
function useMounted(activeId: string | undefined, terminals: readonly Terminal[]): readonly Terminal[] {
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  if (activeId !== undefined && !seen.has(activeId)) setSeen(new Set(seen).add(activeId));
  return terminals.filter(({ id }) => id === activeId || seen.has(id));
}

function without(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  return new Set([...set].filter((other) => other !== item));
}
