import { type DestinationStream, type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { Settings } from "../settings/settings.ts";

/** Where secrets could stand in an object that is logged. */
const secretPaths = [
  "authorization",
  "cookie",
  "password",
  "token",
  "secret",
  "headers.authorization",
  "headers.cookie",
  "*.authorization",
  "*.cookie",
  "*.password",
  "*.token",
  "*.secret",
  "*.headers.authorization",
  "*.headers.cookie",
  '*.headers["set-cookie"]',
];

/** The program's log: lines for people on a terminal, JSON elsewhere. */
export function createLogger(
  level: Settings["logLevel"],
  output: { isTTY?: boolean } & NodeJS.WritableStream = process.stdout,
): Logger {
  const options = { level, base: null, redact: { paths: secretPaths, censor: "(hidden)" } };
  // In this process: a worker thread would lose the last lines when the program ends.
  const destination: DestinationStream = output.isTTY
    ? pretty({ colorize: true, translateTime: "SYS:HH:MM:ss", destination: output, sync: true })
    : output;
  return pino(options, destination);
}
