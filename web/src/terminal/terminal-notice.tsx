import type { TerminalExit } from "@berth/protocol";
import type { AttachState, TerminalSize, TypingResult } from "@berth/protocol/viewer";
import type { ReactNode } from "react";
import { Button } from "../ui/button.tsx";

export interface TerminalNoticeProps {
  state: AttachState;
  /** What runs in it, as people call it. */
  program: string;
  typed: TypingResult;
  /** Another viewer's size, where that is shown. */
  scaled: TerminalSize | null;
  onSendHeld: () => void;
  onDiscardHeld: () => void;
  onRetry: () => void;
  onStartAgain: () => void;
  onCloseTab: () => void;
}

/** The line below a terminal: what one has to know of it, or decide. */
export function TerminalNotice(props: TerminalNoticeProps) {
  const { state } = props;
  switch (state.phase) {
    case "holding":
      return (
        <Notice passing urgent words={heldWords(state.heldBytes)}>
          <Button look="primary" onClick={props.onSendHeld}>
            Send it
          </Button>
          <Button onClick={props.onDiscardHeld}>Discard it</Button>
        </Notice>
      );
    case "exited":
      return (
        <Notice words={exitWords(props.program, state.exit)}>
          <Button look="primary" onClick={props.onStartAgain}>
            Start again
          </Button>
          <Button onClick={props.onCloseTab}>Close</Button>
        </Notice>
      );
    case "failed":
      return (
        <Notice urgent words={state.reason}>
          <Button onClick={props.onRetry}>Try again</Button>
        </Notice>
      );
    case "gone":
      return (
        <Notice words="This terminal is no more: it was closed elsewhere.">
          <Button onClick={props.onCloseTab}>Close tab</Button>
        </Notice>
      );
    case "waiting":
      if (props.typed === "full") return <Notice passing urgent words={fullWords} />;
      return state.reason === null ? null : <Notice passing words={state.reason} />;
    default:
      if (props.typed === "full") return <Notice passing urgent words={fullWords} />;
      return props.scaled ? <Notice passing words={scaledWords(props.scaled)} /> : null;
  }
}

interface NoticeProps {
  words: string;
  urgent?: boolean;
  /** It goes away by itself, or by what the user says to it. */
  passing?: boolean;
  children?: ReactNode;
}

function Notice({ words, urgent = false, passing = false, children }: NoticeProps) {
  return (
    <div className="terminal-notice" role={urgent ? "alert" : "status"} data-passing={passing || undefined}>
      <p>{words}</p>
      {children}
    </div>
  );
}

const fullWords = "What you type is not taken: 1 MiB waits for the connection already.";

function scaledWords({ cols, rows }: TerminalSize): string {
  return `Shown in the size of another viewer, ${cols} × ${rows}. Type or click to take your own.`;
}

function heldWords(bytes: number): string {
  const what = bytes === 1 ? "One typed character was" : `${bytes} typed bytes were`;
  return `${what} not sent while the connection was away. Send what you typed, or discard it?`;
}

function exitWords(program: string, exit: TerminalExit): string {
  if (exit.signal !== null) return `${program} was ended by ${exit.signal}.`;
  if (exit.code === null) return `${program} ended when its sandbox stopped.`;
  return `${program} exited with code ${exit.code}.`;
}
