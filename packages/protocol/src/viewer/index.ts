export { isAutomaticReply } from "./automatic-reply.ts";
export { AttachConnection } from "./connection.ts";
export { type AttachOptions, type AttachScreen, attachTimes, type ViewerQuery } from "./options.ts";
export type { AttachSocket, OpenSocket, SocketEvents } from "./socket.ts";
export type { AttachState, AttachVerdict, TypingResult } from "./state.ts";
export { sameSize, type TerminalSize } from "./viewer-size.ts";
