import type { SourceFile } from "./sources.ts";

/** What meets words of people's and of sandboxes': names of files, branches, addresses. */
const exposed = /^(controller|agent|packages\/(cli|sync|protocol|base))\/src\//;

/** Files that may have a shell run something, with the reason why no such word is in it. */
const reasons: Readonly<Record<string, string>> = {
  "agent/src/pty-host/handover.ts": "a line of its own, in which one number is Berth's",
};

/** Each with what is wrong with it. */
const ways: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  {
    pattern: /import\s*\{[^}]*\bexec(Sync)?\b[^}]*\}\s*from\s*"(node:)?child_process"/,
    what: "has a shell read a command line (exec): start the program itself, with its arguments",
  },
  { pattern: /\bshell:\s*(true|["'`])/, what: "starts a program by way of a shell: leave the option out" },
  {
    pattern: /["'`](\/\S*\/)?(ba|da|z)?sh["'`]\s*,\s*\[?\s*["'`]-[a-z]*c["'`]/,
    what: "gives a shell a script: start the program itself, or say in shells.ts why no user's word is in it",
  },
];

/** One line for every file in which a shell could come to read what a user has named. */
export function shellUses(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => exposed.test(path) && !(path in reasons))
    .flatMap(({ path, text }) => ways.filter(({ pattern }) => pattern.test(text)).map(({ what }) => `${path} ${what}`));
}
