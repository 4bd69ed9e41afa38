import type { MessagesRequest } from "./request.ts";

/** One content block of an answer. */
export type AnswerBlock =
  /** Text, sent in these pieces with a pause of `delayMs` before each. */
  | { readonly type: "text"; readonly pieces: readonly string[]; readonly delayMs?: number }
  | { readonly type: "tool_use"; readonly name: string; readonly input: Readonly<Record<string, unknown>> };

/** How a request is answered: with content, or with an error of the API. */
export type Answer =
  | { readonly type: "message"; readonly blocks: readonly AnswerBlock[] }
  | { readonly type: "error"; readonly status: number; readonly kind: string; readonly message: string };

/** Decides the answer to a request. */
export type Responder = (request: MessagesRequest) => Answer | Promise<Answer>;

const errorKinds: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
};

/** An answer of one text. */
export function textAnswer(text: string): Answer {
  return { type: "message", blocks: [{ type: "text", pieces: [text] }] };
}

/** An answer that has the client run a tool. */
export function toolAnswer(name: string, input: Readonly<Record<string, unknown>>): Answer {
  return { type: "message", blocks: [{ type: "tool_use", name, input }] };
}

/** An error as the API words it. */
export function errorAnswer(status: number, message = `The stub was asked for a ${status}.`): Answer {
  return { type: "error", status, kind: errorKinds[status] ?? "api_error", message };
}

/** Pauses of the scripts. */
export interface ScriptOptions {
  /** Pause before each line of `stream N`, in milliseconds; 50 by default. */
  readonly lineDelayMs?: number;
}

/** What a prompt may ask the stub for, one line each. */
export const scriptHelp = [
  "say TEXT             answers TEXT",
  "stream N             answers N numbered lines, slowly",
  "write FILE CONTENT   has Claude write the file: an absolute FILE by the Write tool, any other by Bash",
  "run COMMAND          has Claude run the command by the Bash tool",
  "error STATUS         answers with that error: 401, 429, 500, 529",
].join("\n");

/** Answers by what the prompt says, as `scriptHelp` lists it; a prompt with none of these is repeated. */
export function scriptedResponder(options: ScriptOptions = {}): Responder {
  const lineDelayMs = options.lineDelayMs ?? 50;
  return (request) => {
    if (request.toolResults.length > 0) return textAnswer(request.toolResults.map(describeResult).join("\n"));
    const [, verb = "", rest = ""] = /^(say|stream|write|run|error)[ \t]+([\s\S]+)$/m.exec(request.prompt) ?? [];
    switch (verb) {
      case "say":
        return textAnswer(rest);
      case "stream":
        return numberedLines(Number.parseInt(rest, 10), lineDelayMs);
      case "write":
        return writeFile(rest);
      case "run":
        return bash(rest);
      case "error":
        return errorAnswer(Number.parseInt(rest, 10));
      default:
        return textAnswer(`You said: ${request.prompt.slice(0, 2000)}`);
    }
  };
}

function describeResult(result: { text: string; isError: boolean }): string {
  return `${result.isError ? "The tool failed" : "Done"}: ${result.text.trim().slice(0, 500)}`;
}

function numberedLines(count: number, delayMs: number): Answer {
  const lines = Number.isFinite(count) ? Math.min(Math.max(count, 1), 100_000) : 1;
  const pieces = Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`);
  return { type: "message", blocks: [{ type: "text", pieces, delayMs }] };
}

function writeFile(words: string): Answer {
  const [, file = "", content = ""] = /^(\S+)\s*([\s\S]*)$/.exec(words) ?? [];
  // The Write tool takes absolute paths alone, and the request does not say what the client's folder is.
  if (file.startsWith("/")) return toolAnswer("Write", { file_path: file, content });
  return bash(`printf '%s' ${shellQuoted(content)} > ${shellQuoted(file)}`);
}

function bash(command: string): Answer {
  return toolAnswer("Bash", { command, description: "Runs what the prompt says" });
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
