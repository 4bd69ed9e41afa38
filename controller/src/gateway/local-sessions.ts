import type { Connection, PseudoTtyInfo, ServerChannel, Session } from "ssh2";

/** A program that a client wants to run, where the gateway itself answers. */
export interface AskedProgram {
  readonly kind: "shell" | "exec" | "subsystem";
  /** Undefined: no terminal was asked for. */
  readonly pty: PseudoTtyInfo | undefined;
  readonly channel: ServerChannel;
  /** Called with the client's new size in cells. */
  onResize(listener: (size: { cols: number; rows: number }) => void): void;
}

/** Sessions of one connection that may be open at a time. */
const maxSessions = 10;
/** What one write may take: more than a line or a screen of text. */
const maxIncomingBytes = 4 * 1024 * 1024;

/** Answers each program that this connection asks for by `serve`. Nothing that it asks can make this throw. */
export function serveSessions(client: Connection, serve: (program: AskedProgram) => void): void {
  let open = 0;
  client.on("session", (accept, reject) => {
    if (open >= maxSessions) {
      reject();
      return;
    }
    const session = accept();
    open += 1;
    session.once("close", () => {
      open -= 1;
    });
    serveSession(session, serve);
  });
}

function serveSession(session: Session, serve: (program: AskedProgram) => void): void {
  let pty: PseudoTtyInfo | undefined;
  const listeners: ((size: { cols: number; rows: number }) => void)[] = [];
  const start = (kind: AskedProgram["kind"], accept: () => ServerChannel | undefined) => {
    const channel = accept();
    // Undefined for a second program of a session, or one that has ended.
    if (!channel) return;
    boundIncoming(channel);
    channel.on("error", () => {});
    channel.stderr.on("error", () => {});
    serve({ kind, pty, channel, onResize: (listener) => listeners.push(listener) });
  };
  session.on("pty", (accept, _reject, info) => {
    pty = info;
    accept?.();
  });
  // The gateway runs nothing that would need it.
  session.on("env", (accept) => accept?.());
  session.on("window-change", (accept, _reject, { cols, rows }) => {
    accept?.();
    for (const listener of listeners) listener({ cols, rows });
  });
  session.on("shell", (accept) => start("shell", accept));
  session.on("exec", (accept) => start("exec", accept));
  session.on("subsystem", (accept) => start("subsystem", accept));
}

/** ssh2 takes what a client sends beyond the channel's window, and keeps it: who does so loses the channel. */
export function boundIncoming(channel: ServerChannel): void {
  const push = channel.push.bind(channel);
  channel.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (channel.readableLength > maxIncomingBytes) {
      channel.close();
      return false;
    }
    return push(chunk, encoding);
  };
}

/** Ends a program with these texts and this exit code. Never throws: the client may be gone. */
export function finish(
  { channel, pty }: Pick<AskedProgram, "channel" | "pty">,
  { out = "", err = "", code }: { out?: string; err?: string; code: number },
): void {
  if (!channel.writable) return;
  channel.resume();
  // Where a terminal was asked for, the client's own goes to the next line only.
  const lines = (text: string) => (pty ? text.replaceAll("\n", "\r\n") : text);
  if (err !== "") channel.stderr.write(lines(err));
  channel.write(lines(out), () => {
    channel.exit(code);
    channel.end();
  });
}
