/**
 * Records what real programs write to their terminals, for the tests of snapshots:
 *
 *     node agent/test/recordings/record.ts [NAME…]
 *
 * Needs vim, htop, less, tmux and unshare; Claude talks to a stub. What is recorded is committed, so that the tests need
 * none of that. htop sees its own PID namespace, and nothing names the machine.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { claudeExecutable, claudeHome, startMessagesStub, temporaryDirectory, textAnswer } from "@berth/testkit";
import { spawn } from "node-pty";
import { ScreenModel } from "../../src/pty-host/screen-model.ts";
import { packSession, type RecordedSession } from "./recorded-session.ts";

/** Keys to type, or a size to give, and how long the program then has, in milliseconds. */
type Step = { keys: string; ms?: number } | { size: [number, number]; ms?: number };

interface Play {
  argv: string[];
  cols: number;
  rows: number;
  steps: Step[];
}

/** Everything a play needs of its surroundings. */
interface Surroundings {
  folder: string;
  env: Record<string, string>;
}

const key = (text: string, ms = 250): Step => ({ keys: text, ms });
const size = (cols: number, rows: number): Step => ({ size: [cols, rows], ms: 700 });

const plays: Readonly<Record<string, (folder: string) => Play>> = {
  claude: () => ({
    argv: [claudeExecutable()],
    cols: 100,
    rows: 30,
    steps: [
      { keys: "", ms: 5000 },
      ...[..."say hello"].map((letter) => key(letter, 60)),
      key("\r", 4000),
      ...[..."/help"].map((letter) => key(letter, 80)),
      key("\r", 1500),
      key("\x1b", 800),
      size(80, 24),
      ...[..."漢字 👩‍👩‍👧 naïve"].map((letter) => key(letter, 60)),
      key("\r", 4000),
      size(120, 40),
      key("\x12", 800),
      key("\x03", 500),
      key("\x03", 800),
      key("\x03", 1500),
    ],
  }),
  vim: (folder) => ({
    argv: [
      "vim",
      "-N",
      "-u",
      "NONE",
      "-i",
      "NONE",
      "--cmd",
      "syntax on | set mouse=a number hlsearch ruler title",
      join(folder, "text.ts"),
    ],
    cols: 90,
    rows: 28,
    steps: [
      { keys: "", ms: 800 },
      ...["\x06", "\x06", "\x02", "/const\r", "n", "n", "V", "j", "j", "\x1b"].map((each) => key(each)),
      key(":vsplit\r"),
      key("iwide 漢字 and 👍🏽 and e\u0301\x1b"),
      size(70, 20),
      ...["\x17w", "G", "gg", ":split\r", "dd", "p", "u", "R"].map((each) => key(each)),
      key("over\x1b"),
      size(100, 34),
      key(":qa!\r", 600),
    ],
  }),
  htop: () => ({
    argv: ["unshare", "-pf", "--mount-proc", "sh", "-c", "sleep 30 & sleep 31 & exec htop -d 5"],
    cols: 100,
    rows: 30,
    steps: [
      { keys: "", ms: 1600 },
      ...["\x1b[B", "\x1b[B", "\x1bOQ", "\x1b", "\x1b[15~", "I"].map((each) => key(each, 600)),
      size(80, 20),
      key("\x1bOP", 800),
      key("q", 800),
      size(60, 12),
      key("q", 800),
    ],
  }),
  less: (folder) => ({
    argv: ["less", "-R", "-S", join(folder, "colours.txt")],
    cols: 80,
    rows: 24,
    steps: [
      { keys: "", ms: 500 },
      ...[" ", " ", "b", "/line 3\r", "n", "n", "\x1b[C", "\x1b[D", "G", "g"].map((each) => key(each)),
      size(60, 15),
      ...["j", "j", "k", "-N\r", "q"].map((each) => key(each)),
    ],
  }),
  tmux: (folder) => ({
    argv: ["tmux", "-L", "berth-recording", "-f", join(folder, "tmux.conf"), "new"],
    cols: 100,
    rows: 30,
    steps: [
      { keys: "", ms: 1000 },
      key(`cat ${join(folder, "colours.txt")}\r`, 600),
      key("\x02%", 600),
      key("seq 200\r", 500),
      key('\x02"', 600),
      key("printf '\\033[7mreverse\\033[m \\342\\224\\200 \\033(0lqqk\\033(B 漢字 👍\\n'\r", 400),
      key("\x02[", 300),
      key("\x1b[5~", 300),
      size(76, 22),
      key("q", 300),
      key("\x02z", 500),
      key("\x02c", 500),
      key("\x02n", 500),
      size(110, 32),
      key("\x02&", 300),
      key("y", 500),
      key("\x02:kill-server\r", 800),
    ],
  }),
  shell: (folder) => ({
    argv: ["bash", "--norc", "--noprofile"],
    cols: 72,
    rows: 18,
    steps: [
      { keys: "", ms: 400 },
      key(`cat ${join(folder, "colours.txt")}\r`, 400),
      key(`cat ${join(folder, "vttest.txt")}\r`, 400),
      key("\x12cat\x07", 300),
      size(50, 12),
      key("echo a very long line that wraps around the edge of the terminal, 漢字漢字漢字 and goes on\r", 300),
      size(80, 20),
      key("\x1b[A\x1b[A\x01\x0b", 300),
      key("exit\r", 400),
    ],
  }),
};

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  const surroundings = await temporaryDirectory("recording-");
  const stub = await startMessagesStub({ responder: ({ prompt }) => textAnswer(answerTo(prompt)) });
  try {
    await writeMaterial(surroundings.path);
    const env = {
      ...{ PATH: process.env.PATH ?? "", TERM: "xterm-256color", LANG: "C.UTF-8", COLORTERM: "truecolor", PS1: "$ " },
      ...stub.environment,
      ...(await claudeHome({ path: surroundings.path, trusted: [surroundings.path] })),
    };
    for (const [name, play] of Object.entries(plays)) {
      if (asked.length > 0 && !asked.includes(name)) continue;
      const session = await record(play(surroundings.path), { folder: surroundings.path, env });
      const packed = packSession(session);
      await writeFile(join(import.meta.dirname, `${name}.session.gz`), packed);
      process.stdout.write(`${name}: ${session.parts.length} parts, ${packed.byteLength} bytes packed\n`);
    }
  } finally {
    await stub.dispose();
    await surroundings.dispose();
  }
}

/** Plays a program in a terminal that answers its questions, as a real one does. */
async function record({ argv, cols, rows, steps }: Play, { folder, env }: Surroundings): Promise<RecordedSession> {
  const session: RecordedSession = { cols, rows, parts: [] };
  const [file = "", ...args] = argv;
  const pty = spawn(file, args, { cols, rows, cwd: folder, env, encoding: null });
  const terminal = new ScreenModel(cols, rows);
  terminal.terminal.onData((answer) => pty.write(answer));
  const ended = new Promise<void>((resolve) => pty.onExit(() => resolve()));
  pty.onData((data) => {
    const bytes = Buffer.from(data);
    session.parts.push({ output: bytes.toString("latin1") });
    void terminal.write(bytes);
  });
  for (const step of steps) {
    if ("keys" in step) pty.write(step.keys);
    else {
      pty.resize(...step.size);
      terminal.resize(...step.size);
      session.parts.push({ resize: step.size });
    }
    await Promise.race([ended, wait(step.ms ?? 250)]);
  }
  pty.kill("SIGKILL");
  await ended;
  terminal.dispose();
  return session;
}

function answerTo(prompt: string): string {
  return [
    `# An answer to ${prompt.slice(0, 40)}`,
    "",
    "- **bold** and *italic*, `code`",
    "- 漢字, 👍🏽, naïve",
    "",
    "```ts",
    "const answer = 42;",
    "```",
  ].join("\n");
}

async function writeMaterial(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lines = Array.from(
    { length: 120 },
    (_, at) =>
      `\x1b[3${at % 8}mline ${at}\x1b[m \x1b[48;5;${at}m256\x1b[m \x1b[38;2;${at};200;90mtrue\x1b[m 漢字 ${"x".repeat(at)}`,
  );
  await writeFile(join(folder, "colours.txt"), `${lines.join("\n")}\n`);
  const source = Array.from({ length: 80 }, (_, at) => `export const value${at}: string = "text ${at}"; // a comment`);
  await writeFile(join(folder, "text.ts"), `${source.join("\n")}\n`);
  await writeFile(
    join(folder, "tmux.conf"),
    "set -g status-right ''\nset -g mouse on\nset -g default-command 'bash --norc --noprofile'\nset -g automatic-rename off\n",
  );
  await writeFile(join(folder, "vttest.txt"), vttestLike);
}

/** What vttest looks at: regions, origin, tab stops, character sets, insertion, deletion and erasure. */
const vttestLike = [
  "\x1b[2J\x1b[H\x1b#8\x1b[3;10r\x1b[?6h\x1b[2;4Hin a region\x1b[?6l\x1b[r",
  "\x1b[3g\x1b[1;5H\x1bH\x1b[1;15H\x1bH\r\ta\tb\tc\r\n",
  "\x1b(0lqqqk\r\nx   x\r\nmqqqj\x1b(B\r\n\x1b)0\x0elqk\x0f",
  "\x1b[5;5H\x1b[2@\x1b[3P\x1b[2L\x1b[M\x1b[1J\x1b[8;1H\x1b[K\x1b[?5h\x1b[?5l",
  "\x1b[1;31;44;4:3;58;5;9mstyled\x1b[m \x1b[9;53mstruck\x1b[m\x1b[5 q\x1b]0;a title\x07",
  "\x1b]8;id=1;https://example.org/\x1b\\a link\x1b]8;;\x1b\\ \x1b]4;1;rgb:12/34/56\x1b\\\x1b[31mpalette\x1b[m\r\n",
].join("");

await main();
