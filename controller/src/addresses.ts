import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";

/** The port that a server listens at. */
export function portOf(server: FastifyInstance): number {
  const address: AddressInfo | string | null = server.server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** A wildcard is where one listens; people and agents need an address of the machine. */
export function urlOf(scheme: string, host: string, port: number): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
