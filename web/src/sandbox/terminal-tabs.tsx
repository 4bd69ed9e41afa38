import type { Terminal } from "@berth/protocol";
import type { KeyboardEvent, ReactNode, RefObject } from "react";
import { AttentionMark } from "../fleet/use-fact.tsx";
import { Icon } from "../ui/icon.tsx";
import { Menu } from "../ui/menu.tsx";

export interface TerminalTabsProps {
  terminals: readonly Terminal[];
  names: ReadonlyMap<string, string>;
  activeId: string | undefined;
  /** Terminals that rang while they were not seen. */
  rang: ReadonlySet<string>;
  bar: RefObject<HTMLDivElement | null>;
  onSelect: (id: string) => void;
  onClose: (terminal: Terminal) => void;
  onOpen: (kind: "claude" | "shell") => void;
  /** Picks files for the terminal that is seen; undefined where it takes none. */
  onFiles: (() => void) | undefined;
  disabled: boolean;
  /** What belongs to the terminal that is seen. */
  children?: ReactNode;
}

/** The terminals of a sandbox, as tabs. */
export function TerminalTabs(props: TerminalTabsProps) {
  const { terminals, names, activeId, rang, bar } = props;
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const tabs: HTMLElement[] = [...(bar.current?.querySelectorAll<HTMLElement>("[role=tab]") ?? [])];
    const focused = document.activeElement;
    const at = focused instanceof HTMLElement ? tabs.indexOf(focused) : -1;
    tabs[(at + by + tabs.length) % tabs.length]?.focus();
  };
  return (
    <div className="tabs">
      <div className="tab-list" role="tablist" aria-label="Terminals" ref={bar} onKeyDown={onKeyDown}>
        {terminals.map((terminal, index) => {
          const active = terminal.id === activeId;
          const name = names.get(terminal.id) ?? terminal.kind;
          return (
            <div key={terminal.id} className="tab" data-active={active || undefined} role="presentation">
              <button
                type="button"
                role="tab"
                id={`tab-${terminal.id}`}
                aria-selected={active}
                aria-controls={`panel-${terminal.id}`}
                tabIndex={active ? 0 : -1}
                title={[terminal.title, index < 9 && terminals.length > 1 ? `Alt+${index + 1}` : ""]
                  .filter(Boolean)
                  .join(" · ")}
                onClick={() => props.onSelect(terminal.id)}
                onKeyDown={(event) => {
                  if (event.key === "Delete") props.onClose(terminal);
                }}
              >
                <span className="tab-state" data-state={terminal.state} aria-hidden="true" />
                {name}
                <AttentionMark attention={terminal.attention} />
                {rang.has(terminal.id) && (
                  <span className="tab-bell">
                    ●<span className="visually-hidden"> rang</span>
                  </span>
                )}
                {terminal.state === "exited" && <span className="visually-hidden"> (exited)</span>}
              </button>
              <button
                type="button"
                className="tab-close"
                aria-label={`Close ${name}`}
                onClick={() => props.onClose(terminal)}
              >
                <Icon name="cross" />
              </button>
            </div>
          );
        })}
      </div>
      {!props.disabled && (
        <Menu
          label="New terminal"
          button={<Icon name="plus" />}
          items={[
            { label: "Claude", onSelect: () => props.onOpen("claude") },
            { label: "Shell", onSelect: () => props.onOpen("shell") },
          ]}
        />
      )}
      {!props.disabled && activeId !== undefined && (
        <button
          type="button"
          className="button button-quiet tab-files"
          aria-label="Send files to this terminal"
          title="Send files to this terminal. You can also drop or paste them into it."
          disabled={!props.onFiles}
          onClick={props.onFiles}
        >
          <Icon name="clip" />
        </button>
      )}
      {props.children}
    </div>
  );
}
