export type { AttachOptions } from "./attach/attach-options.ts";
export { AttachedTerminal, attachTerminal } from "./attach/attach-terminal.ts";
export { ByteRecord, type ByteRun } from "./attach/byte-record.ts";
export { type AttachClose, AttachRefused } from "./attach/connection.ts";
export { TerminalScreen, type TerminalScreenOptions } from "./attach/terminal-screen.ts";
export { Berth, type BerthOptions, prepareBerth, startBerth } from "./berth/berth.ts";
export { lxcPrefix } from "./berth/containers.ts";
export { environmentWithoutSettings } from "./berth/environment.ts";
export { freePorts } from "./berth/free-ports.ts";
export { BrowserDriver, type BrowserOptions, BrowserPage, launchBrowser } from "./browser.ts";
export { type ClaudeHomeOptions, claudeExecutable, claudeHome } from "./claude.ts";
export { ManualClock } from "./clock.ts";
export {
  type CallKind,
  ClusterServer,
  type ClusterServerOptions,
  type ListedContainer,
  type SeenCall,
} from "./cluster/cluster-server.ts";
export { sharedPostgres } from "./database/shared-postgres.ts";
export { type TestDatabase, type TestDatabaseOptions, testDatabase } from "./database/test-database.ts";
export { type EventuallyOptions, eventually } from "./eventually.ts";
export type { MessagesRequest, ToolResult } from "./messages-stub/request.ts";
export {
  type Answer,
  type AnswerBlock,
  errorAnswer,
  type Responder,
  type ScriptOptions,
  scriptedResponder,
  textAnswer,
  toolAnswer,
} from "./messages-stub/script.ts";
export { MessagesStub, type MessagesStubOptions, startMessagesStub } from "./messages-stub/server.ts";
export { lastWords } from "./process/last-words.ts";
export { type ProcessFacts, processesInGroup, processesWithEnvironment } from "./process/proc.ts";
export { type ProcessExit, SpawnedProcess, type SpawnOptions, spawnProcess } from "./process/spawn-process.ts";
export { Sleepers } from "./sleepers.ts";
export { type SshServer, type SshServerOptions, startSshServer } from "./ssh-server.ts";
export { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";
