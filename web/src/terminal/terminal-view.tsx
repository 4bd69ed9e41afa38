import type { Sandbox, Terminal } from "@berth/protocol";
import type { AttachState, TerminalSize, TypingResult } from "@berth/protocol/viewer";
import { type RefObject, useEffect, useEffectEvent, useRef, useState } from "react";
import { useApi } from "../api/context.tsx";
import { type PickFiles, TerminalFiles } from "./files/terminal-files.tsx";
import { KeyRow } from "./key-row.tsx";
import { LiveTerminal } from "./live-terminal.ts";
import "./terminal.css";
import { TerminalNotice } from "./terminal-notice.tsx";

export interface TerminalViewProps {
  terminal: Terminal;
  sandbox: Sandbox;
  /** What runs in it, as people call it. */
  program: string;
  /** It is the one that is seen. */
  active: boolean;
  tabs: number;
  /** Is set by the terminal that is seen. */
  picker: RefObject<PickFiles | null>;
  onTab: (index: number) => void;
  onLeave: () => void;
  onState: (state: AttachState) => void;
  onTitle: (title: string) => void;
  onBell: () => void;
  onStartAgain: () => void;
  onCloseTab: () => void;
}

/** A terminal on the page, with its on-screen keys and what there is to say of it. */
export function TerminalView(props: TerminalViewProps) {
  const { terminal, sandbox, active } = props;
  const [state, setState] = useState<AttachState>({ phase: "suspended" });
  const [typed, setTyped] = useState<TypingResult>("taken");
  const [scaled, setScaled] = useState<TerminalSize | null>(null);
  const ctrl = useStickyCtrl();
  const host = useRef<HTMLDivElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const live = useLiveTerminal(host, props, { setState, setTyped, setScaled, takeCtrl: ctrl.take });

  // Before the connection is opened, so that it begins with the size that fits.
  useEffect(() => {
    live?.screen.show(active);
    if (active) live?.screen.focus();
  }, [live, active]);

  const runs = sandbox.state === "ready";
  useEffect(() => {
    if (!live) return;
    if (!runs) live.connection.suspend();
    else live.connection.open();
  }, [live, runs]);
  const connected = sandbox.agent.connected;
  useEffect(() => {
    if (connected) live?.connection.poke();
  }, [live, connected]);
  // After an exit the same terminal may run again: its container was stopped and started.
  const { epoch, state: running } = terminal;
  useEffect(() => {
    if (live && runs && running === "running" && epoch > (live.connection.epoch ?? epoch)) live.connection.open();
  }, [live, runs, running, epoch]);

  return (
    <div className="terminal" hidden={!active} data-terminal={terminal.id} data-phase={state.phase}>
      <div className="terminal-screen" ref={place}>
        <div className="terminal-host" ref={host} data-scaled={scaled !== null || undefined} />
        <TerminalNotice
          state={state}
          program={props.program}
          typed={typed}
          scaled={scaled}
          onSendHeld={() => {
            live?.connection.sendHeld();
            live?.screen.focus();
          }}
          onDiscardHeld={() => {
            live?.connection.discardHeld();
            live?.screen.focus();
          }}
          onRetry={() => live?.connection.open()}
          onStartAgain={props.onStartAgain}
          onCloseTab={props.onCloseTab}
        />
        <TerminalFiles
          terminalId={terminal.id}
          place={place}
          active={active}
          refusal={fileRefusal(state, props.program)}
          picker={props.picker}
          onDone={() => live?.screen.focus()}
        />
      </div>
      <KeyRow
        ctrl={ctrl.pressed}
        onCtrl={ctrl.toggle}
        onFiles={() => props.picker.current?.()}
        onKey={(data) => live?.screen.input(data)}
        onArrow={(letter) => live?.screen.input(`\x1b${live.screen.applicationCursorKeys ? "O" : "["}${letter}`)}
      />
    </div>
  );
}

/** Why a terminal takes no files, or null. One that is cut off for a moment does: they go another way. */
function fileRefusal(state: AttachState, program: string): string | null {
  switch (state.phase) {
    case "exited":
      return `${program} has ended: start it again to put files here.`;
    case "suspended":
      return "The sandbox does not run: start it to put files here.";
    case "failed":
    case "gone":
    case "signedOut":
    case "closed":
      return "This terminal takes no files now.";
    default:
      return null;
  }
}

interface Setters {
  setState: (state: AttachState) => void;
  setTyped: (typed: TypingResult) => void;
  setScaled: (scaled: TerminalSize | null) => void;
  takeCtrl: () => boolean;
}

/** Makes the terminal once its place is there, and disposes of it with the component. */
function useLiveTerminal(
  host: React.RefObject<HTMLDivElement | null>,
  props: TerminalViewProps,
  setters: Setters,
): LiveTerminal | undefined {
  const api = useApi();
  const [live, setLive] = useState<LiveTerminal | undefined>(undefined);
  const onState = useEffectEvent((state: AttachState) => {
    setters.setState(state);
    props.onState(state);
  });
  const onTitle = useEffectEvent((title: string) => props.onTitle(title));
  const onBell = useEffectEvent(() => props.onBell());
  const tabs = useEffectEvent(() => props.tabs);
  const onTab = useEffectEvent((index: number) => props.onTab(index));
  const onLeave = useEffectEvent(() => props.onLeave());
  const onTyped = useEffectEvent(setters.setTyped);
  const onScaled = useEffectEvent(setters.setScaled);
  const takeCtrl = useEffectEvent(setters.takeCtrl);
  const make = useEffectEvent((place: HTMLDivElement) => {
    return new LiveTerminal(api, props.terminal, place, {
      onState: (state) => onState(state),
      onScaled: (size) => onScaled(size),
      onTitle: (title) => onTitle(title),
      onBell: () => onBell(),
      onTyped: (result) => onTyped(result),
      tabs: () => tabs(),
      onTab: (index) => onTab(index),
      onLeave: () => onLeave(),
      takeCtrl: () => takeCtrl(),
    });
  });
  const { id } = props.terminal;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another terminal needs another screen and connection
  useEffect(() => {
    if (!host.current) return;
    const made = make(host.current);
    setLive(made);
    return () => {
      made.dispose();
      setLive(undefined);
    };
  }, [host, id]);
  return live;
}

/** The on-screen Ctrl, which holds for one key. */
function useStickyCtrl() {
  const [pressed, setPressed] = useState(false);
  return {
    pressed,
    toggle: () => setPressed(!pressed),
    take: () => {
      if (pressed) setPressed(false);
      return pressed;
    },
  };
}
