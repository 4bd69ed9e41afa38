import type { AddressInfo } from "node:net";
import { Scope } from "@berth/base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { EchoClient } from "../echo-client.ts";
import { type Address, openAddress } from "../terminals/address.ts";
import { readyWord } from "../terminals/programs.ts";

let scope: Scope;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

/** A server that behaves to each viewer as told; answers its address. */
async function serve(greet: (socket: WebSocket) => void): Promise<Address> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  scope.add(() => new Promise((resolve) => server.close(() => resolve())));
  scope.add(() => {
    for (const socket of server.clients) socket.terminate();
  });
  server.on("connection", greet);
  await new Promise((resolve) => server.once("listening", resolve));
  return openAddress(new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

test("each key waits for its own answer, and messages beside the terminal's bytes are none", async () => {
  const typed: string[] = [];
  const address = await serve((socket) => {
    socket.send(JSON.stringify({ type: "attached" }));
    socket.send(Buffer.from(readyWord));
    socket.on("message", (bytes: Buffer) => {
      typed.push(bytes.toString());
      socket.send(JSON.stringify({ type: "inputAck", offset: typed.length }));
      setImmediate(() => socket.send(bytes, { binary: true }));
    });
  });
  const client = await EchoClient.open(address);
  scope.add(() => client.close());
  const times = await client.type(3);
  expect(times).toHaveLength(3);
  expect(times.every((ms) => ms > 0)).toBe(true);
  expect(typed).toEqual(["x", "x", "x"]);
});

test("a connection that closes is a failure, before the program is ready and after", async () => {
  await expect(EchoClient.open(await serve((socket) => socket.close(1013)))).rejects.toThrow("closed with 1013");
  const address = await serve((socket) => {
    socket.send(Buffer.from(readyWord));
    socket.on("message", () => socket.close(1012));
  });
  const client = await EchoClient.open(address);
  await expect(client.type(1)).rejects.toThrow("closed with 1012");
});
