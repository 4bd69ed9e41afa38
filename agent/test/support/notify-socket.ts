import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { endProgram, until } from "./pty-host.ts";

/** Perl, since Node has no datagram sockets of Unix; every Debian has it. */
const receiver = `use Socket; $| = 1;
  socket(S, PF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!;
  while (defined recv(S, my $text, 65536, 0)) { print "$text\\n" unless $text =~ /^BARRIER=/ }`;

/** systemd's end of sd_notify(3). */
export class NotifySocket {
  readonly path: string;
  readonly #receiver: ChildProcess;
  #text = "";

  private constructor(path: string) {
    this.path = path;
    this.#receiver = spawn("perl", ["-e", receiver, path], { stdio: ["ignore", "pipe", "inherit"] });
    this.#receiver.stdout?.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
  }

  /** Listens on a path; resolves when messages arrive there. */
  static async open(path: string): Promise<NotifySocket> {
    const socket = new NotifySocket(path);
    await until(() => existsSync(path));
    return socket;
  }

  /** What was told, `NAME=VALUE` each, in its order. */
  get words(): string[] {
    return this.#text.split("\n").filter((word) => word !== "");
  }

  close(): Promise<void> {
    return endProgram(this.#receiver, "SIGKILL");
  }
}
