/** An open or opening WebSocket, as far as an attach connection uses it. */
export interface AttachSocket {
  /** Text frames are control, binary frames are input. Only called once a message has arrived. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** What a socket tells of itself. */
export interface SocketEvents {
  /** A frame: a string or an ArrayBuffer. */
  onMessage(data: unknown): void;
  /** It was closed, or could not be opened; nothing more comes. */
  onClose(code: number, reason: string): void;
}

/** Opens a socket to a path of the controller, `/api/v1/…`. Its events come later, never during the call. */
export type OpenSocket = (path: string, events: SocketEvents) => AttachSocket;
