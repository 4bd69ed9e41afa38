export { Channel, type ChannelHandlers, type CloseReason, relay } from "./channel.ts";
export { controlMessageSchema, linkVersion } from "./control.ts";
export * from "./file-write.ts";
export { LinkViolation, linkLimits, MessageTooLong } from "./frames.ts";
export * from "./interfaces.ts";
export { Multiplexer, type MultiplexerOptions } from "./multiplexer.ts";
export { CallFailure, type Handlers, type Interface, type Method, Peer, type PeerOptions } from "./peer.ts";
export * from "./programs.ts";
export { FrameReader, FrameWriter } from "./stream-frames.ts";
