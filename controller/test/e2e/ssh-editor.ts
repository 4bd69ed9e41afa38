import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { eventually } from "@berth/testkit";
import type { SshUser } from "./ssh-user.ts";

/** What an editor runs in a sandbox: it counts what it is asked, and echoes on connections that last. */
const server = `const { createServer } = require("node:http");
let served = 0;
const server = createServer((_request, response) => response.end(JSON.stringify({ pid: process.pid, served: ++served })));
server.on("upgrade", (_request, socket) => {
  socket.on("error", () => {});
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n");
  socket.pipe(socket);
});
server.listen(0, "127.0.0.1", () => require("node:fs").writeFileSync(process.argv[2], server.address().port + "\\n"));
`;

/** As VS Code's: puts the server there and starts it unless it lives still, and says where it listens. */
const script = `folder=~/.editor
mkdir -p $folder
if ! { [ -s $folder/port ] && kill -0 "$(cat $folder/pid)"; } 2>/dev/null; then
  rm -f $folder/port
  cat >$folder/server.js <<'END OF SERVER'
${server}END OF SERVER
  nohup node $folder/server.js $folder/port >$folder/log 2>&1 </dev/null &
  echo $! >$folder/pid
  tries=0
  while [ ! -s $folder/port ] && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
  cat $folder/log >&2
fi
echo "listeningOn==$(cat $folder/port)=="
`;

/** What an editor on somebody's machine has open to a sandbox: one `ssh` with a shell that reads its standard input. */
export class EditorConnection {
  /** Where the editor's server listens in the sandbox. */
  readonly serverPort: number;
  readonly #ssh: ChildProcessWithoutNullStreams;
  readonly #said: { text: string };

  constructor(ssh: ChildProcessWithoutNullStreams, said: { text: string }, serverPort: number) {
    this.#ssh = ssh;
    this.#said = said;
    this.serverPort = serverPort;
  }

  /** Connects with options of ssh, as its forwarding, and awaits the server. */
  static async open(user: SshUser, login: string, options: readonly string[]): Promise<EditorConnection> {
    const ssh = user.start("ssh", [...user.options, "-T", ...options, `${login}@gateway`, "bash"]);
    const said = { text: "" };
    for (const stream of [ssh.stdout, ssh.stderr]) {
      stream.on("data", (bytes: Buffer) => {
        said.text += bytes.toString();
      });
    }
    ssh.stdin.write(script);
    const port = await eventually(
      () => {
        const [, found] = /listeningOn==(\d+)==/.exec(said.text) ?? [];
        if (found === undefined) throw new Error(said.text);
        return found;
      },
      { timeoutMs: 60_000, what: "the editor's server" },
    );
    return new EditorConnection(ssh, said, Number(port));
  }

  /** Has the shell run a line, and awaits what it says. */
  async runs(line: string, answer: string): Promise<void> {
    this.#ssh.stdin.write(`${line}\n`);
    await eventually(() => this.#said.text.includes(answer), { what: answer });
  }

  /** Cuts the connection without a word. */
  async cut(): Promise<void> {
    const ended = once(this.#ssh, "close");
    this.#ssh.kill("SIGKILL");
    await ended;
  }
}

/** A connection by way of a SOCKS 5 proxy on this machine to a port of its other end. */
export async function throughProxy(proxyPort: number, port: number): Promise<Socket> {
  const socket = connect(proxyPort, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(Buffer.of(5, 1, 0));
  expectBytes(await read(socket, 2), 5, 0);
  socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff]));
  expectBytes(await read(socket, 10), 5, 0);
  return socket;
}

/** Makes a connection to the editor's server one that echoes. */
export async function upgraded(socket: Socket): Promise<Socket> {
  socket.write("GET / HTTP/1.1\r\nHost: editor\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  let head = "";
  while (!head.endsWith("\r\n\r\n")) head += (await read(socket, 1)).toString("latin1");
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(head);
  return socket;
}

/** Sends bytes and answers with as many as come back. */
export async function echoed(socket: Socket, bytes: Buffer): Promise<Buffer> {
  const back = read(socket, bytes.length);
  socket.write(bytes);
  return back;
}

/** The next bytes, so many; rejects if they do not come. */
async function read(socket: Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let wanted = count; wanted > 0; ) {
    const chunk: Buffer | null = socket.read(Math.min(wanted, Math.max(1, socket.readableLength)));
    if (chunk) {
      chunks.push(chunk);
      wanted -= chunk.length;
    } else if (socket.destroyed || socket.readableEnded) throw new Error("the connection ended");
    else await changed(socket);
  }
  return Buffer.concat(chunks);
}

/** Resolves when there is something to read, or nothing any more. */
async function changed(socket: Socket): Promise<void> {
  const done = new AbortController();
  const events = ["readable", "end", "close"].map((name) => once(socket, name, { signal: done.signal }));
  await Promise.race(events).finally(() => done.abort());
  await Promise.allSettled(events);
}

function expectBytes(bytes: Buffer, ...wanted: number[]): void {
  if (wanted.some((byte, index) => bytes[index] !== byte))
    throw new Error(`the proxy answered ${bytes.toString("hex")}`);
}
