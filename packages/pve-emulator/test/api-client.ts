import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EmulatorFacts, type RunningEmulator, startEmulator } from "../src/index.ts";

/** Folder of stand-ins for the agent's bundles. */
export const payloadFolder = fileURLToPath(new URL("./fixtures/payload/", import.meta.url));

/** An emulator in this process, with stand-ins for the agent's bundles. */
export function startTestEmulator(dataDir: string): Promise<RunningEmulator> {
  return startEmulator({ dataDir, payload: { programs: payloadFolder } });
}

export interface ApiAnswer {
  readonly status: number;
  readonly reason: string;
  readonly data: unknown;
  /** By parameter, of a 400. */
  readonly errors: unknown;
}

export type ApiParameters = Readonly<Record<string, string | number>>;

/** Just enough of a Proxmox client: the controller's token, the pinned certificate, tasks followed to their end. */
export class ApiClient {
  readonly #facts: EmulatorFacts;
  readonly #certificate: string;
  readonly #identity: Readonly<Record<string, string>>;

  private constructor(facts: EmulatorFacts, certificate: string, identity: Readonly<Record<string, string>>) {
    this.#facts = facts;
    this.#certificate = certificate;
    this.#identity = identity;
  }

  /** A client with the controller's token, or with another one. */
  static async open(facts: EmulatorFacts, dataDir: string, token = facts.token): Promise<ApiClient> {
    const stored: unknown = JSON.parse(await readFile(join(dataDir, "certificate.json"), "utf8"));
    return new ApiClient(facts, String(field(stored, "certificate")), { Authorization: `PVEAPIToken=${token}` });
  }

  /** The same token at another host of the cluster. */
  static async openAt(facts: EmulatorFacts, dataDir: string, node: string): Promise<ApiClient> {
    const host = facts.nodes?.find((one) => one.node === node);
    const stored: unknown = JSON.parse(await readFile(join(dataDir, `certificate-${node}.json`), "utf8"));
    const there = { ...facts, node, url: host?.url ?? "" };
    return new ApiClient(there, String(field(stored, "certificate")), {
      Authorization: `PVEAPIToken=${facts.token}`,
    });
  }

  /** The same client, signed in as root. */
  async asRoot(): Promise<ApiClient> {
    const credentials = { username: "root@pam", password: this.#facts.rootPassword };
    const signedIn = await this.must("POST", "/access/ticket", credentials);
    return new ApiClient(this.#facts, this.#certificate, {
      Cookie: `PVEAuthCookie=${encodeURIComponent(String(field(signedIn, "ticket")))}`,
      CSRFPreventionToken: String(field(signedIn, "CSRFPreventionToken")),
    });
  }

  call(method: string, path: string, parameters: ApiParameters = {}): Promise<ApiAnswer> {
    return this.send(method, `/api2/json${path}`, parameters);
  }

  /** A call whose answer must be 200; answers its data. */
  async must(method: string, path: string, parameters: ApiParameters = {}): Promise<unknown> {
    const answer = await this.call(method, path, parameters);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.reason}`);
    return answer.data;
  }

  /** A call that starts a task; answers the task's exit status. */
  async task(method: string, path: string, parameters: ApiParameters = {}): Promise<string> {
    return this.follow(String(await this.must(method, path, parameters)));
  }

  /** Waits for a task's end; answers its exit status. */
  async follow(upid: string): Promise<string> {
    const deadline = performance.now() + 30_000;
    while (performance.now() < deadline) {
      const status = await this.must("GET", `/nodes/${upid.split(":")[1]}/tasks/${encodeURIComponent(upid)}/status`);
      const exit = field(status, "exitstatus");
      if (exit !== undefined) return String(exit);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`${upid} does not end`);
  }

  get node(): string {
    return `/nodes/${this.#facts.node}`;
  }

  container(vmid: number): string {
    return `${this.node}/lxc/${vmid}`;
  }

  /** Clones the template into the controller's pool and starts the clone. */
  async sandbox(vmid: number): Promise<void> {
    const order = { newid: vmid, pool: this.#facts.pool, hostname: `sandbox-${vmid}` };
    const results = [
      await this.task("POST", `${this.container(150)}/clone`, order),
      await this.task("POST", `${this.container(vmid)}/status/start`),
    ];
    if (results.some((result) => result !== "OK")) throw new Error(`no sandbox: ${results.join(", ")}`);
  }

  /** The lines of a task's log. */
  async log(upid: string): Promise<string[]> {
    const lines = await this.must("GET", `${this.node}/tasks/${encodeURIComponent(upid)}/log`, { limit: 500 });
    return Array.isArray(lines) ? lines.map((line) => String(field(line, "t"))) : [];
  }

  /** The IPv4 address of a running container. */
  async address(vmid: number): Promise<string> {
    const interfaces = await this.must("GET", `${this.container(vmid)}/interfaces`);
    const card = Array.isArray(interfaces) ? interfaces.find((one) => field(one, "name") === "eth0") : undefined;
    return String(field(card, "inet")).split("/")[0] ?? "";
  }

  send(method: string, path: string, parameters: ApiParameters = {}): Promise<ApiAnswer> {
    const words = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
    const form = new URLSearchParams(words).toString();
    const inQuery = method === "GET" || method === "DELETE";
    const target = inQuery && form ? `${path}?${form}` : path;
    return this.#request(method, target, inQuery ? "" : form, "application/x-www-form-urlencoded");
  }

  sendJson(method: string, path: string, content: unknown): Promise<ApiAnswer> {
    return this.#request(method, path, JSON.stringify(content), "application/json");
  }

  #request(method: string, target: string, body: string, type: string): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const call = request(
        `${this.#facts.url}${target}`,
        {
          method,
          agent: false,
          ca: this.#certificate,
          headers: {
            ...this.#identity,
            "Content-Length": Buffer.byteLength(body),
            "Content-Type": type,
          },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.once("error", reject);
          response.on("data", (chunk: string) => {
            text += chunk;
          });
          response.on("end", () => {
            const content: unknown = text.startsWith("{") ? JSON.parse(text) : undefined;
            const { statusCode = 0, statusMessage = "" } = response;
            const errors = field(content, "errors");
            resolve({ status: statusCode, reason: statusMessage, data: field(content, "data"), errors });
          });
        },
      );
      call.on("error", reject);
      call.end(body);
    });
  }
}

/** A field of an answer, whatever the answer is. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
