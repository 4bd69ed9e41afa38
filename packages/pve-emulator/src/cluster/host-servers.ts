import type { RequestListener } from "node:http";
import type { Certificate } from "../http/certificate.ts";
import { ApiServer } from "../http/server.ts";

/** One host's listener. */
export interface HostOptions {
  readonly node: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly certificate: Certificate;
  readonly handle: RequestListener;
}

interface Host extends HostOptions {
  readonly port: number;
  /** Undefined while the host is down. */
  server: ApiServer | undefined;
}

const host = "127.0.0.1";

/** The listeners of all hosts: any of them answers for the whole cluster, unless it is down. */
export class HostServers implements AsyncDisposable {
  readonly #hosts = new Map<string, Host>();

  static async listen(hosts: readonly HostOptions[]): Promise<HostServers> {
    const servers = new HostServers();
    try {
      for (const options of hosts) {
        const server = await listen(options);
        servers.#hosts.set(options.node, { ...options, port: server.port, server });
      }
      return servers;
    } catch (error) {
      await servers[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `https://127.0.0.1:port` */
  urlOf(node: string): string {
    return `https://${host}:${this.#hosts.get(node)?.port ?? 0}`;
  }

  /** Its port refuses connections from now on. */
  async takeDown(node: string): Promise<void> {
    const found = this.#hosts.get(node);
    const server = found?.server;
    if (found) found.server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  /** It listens again where it did. */
  async bringUp(node: string): Promise<void> {
    const found = this.#hosts.get(node);
    if (found && !found.server) found.server = await listen(found);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#hosts.keys()].map((node) => this.takeDown(node)));
  }
}

function listen({ port, certificate: { certificate, key }, handle }: HostOptions): Promise<ApiServer> {
  return ApiServer.listen({ host, port, certificate, key, handle });
}
