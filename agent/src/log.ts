/** One line of JSON an event on standard error, where systemd's journal or the supervisor takes it. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A log of one program. Never give it terminal bytes, prompts or tokens. */
export function createLog(program: string, write: (line: string) => void = writeToStderr): Log {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    write(`${JSON.stringify({ time: new Date().toISOString(), level, program, message, ...fields })}\n`);
  };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}

/** What an error says, for a log line. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function writeToStderr(line: string): void {
  process.stderr.write(line);
}
