import { X509Certificate } from "node:crypto";
import type { Scope } from "@berth/base";
import { normaliseFingerprint } from "@berth/proxmox";
import { environmentWithoutSettings, freePorts, type SpawnedProcess, spawnProcess } from "@berth/testkit";
import type { LargeFleet } from "../../../controller/test/large-fleet.fixture.ts";
import type { Address } from "../terminals/address.ts";
import { controllerCommand } from "../whole-berth.ts";

const readyTimeoutMs = 60_000;
const stopGraceMs = 20_000;

export interface FleetControllerOptions {
  readonly fleet: LargeFleet;
  /** Of the cluster on this machine, whose certificate is the listener's; or how to reach another. */
  readonly clusterPort?: number;
  readonly settings?: Readonly<Record<string, string>>;
  /** A bearer token of the fleet's owner. */
  readonly token: string;
}

/** The built controller, started as `scripts/start` does, on the database and the keys of a large fleet. */
export class FleetController {
  readonly #env: Readonly<Record<string, string>>;
  readonly #token: string;
  readonly #port: number;
  /** `wss://host:port` for its agents. */
  readonly agentUrl: string;
  #process: SpawnedProcess | undefined;

  private constructor(
    { fleet, clusterPort, settings, token }: FleetControllerOptions,
    port: number,
    agentPort: number,
  ) {
    const { fingerprint256 } = new X509Certificate(fleet.keys.listener.certificate);
    this.#port = port;
    this.#token = token;
    this.agentUrl = `wss://127.0.0.1:${agentPort}`;
    this.#env = {
      ...environmentWithoutSettings(),
      BERTH_DATA_DIR: fleet.dataDir,
      DATABASE_URL: fleet.databaseUrl,
      BERTH_PORT: String(port),
      BERTH_AGENT_PORT: String(agentPort),
      PROXMOX_URL: `https://127.0.0.1:${clusterPort}`,
      PROXMOX_TOKEN_ID: "berth@pve!t",
      PROXMOX_TOKEN_SECRET: "00000000-0000-4000-8000-000000000000",
      PROXMOX_FINGERPRINT: normaliseFingerprint(fingerprint256),
      ...settings,
    };
  }

  /** Not started; the scope ends it. */
  static async prepare(scope: Scope, options: FleetControllerOptions): Promise<FleetController> {
    const [port = 0, agentPort = 0] = await freePorts(2);
    const controller = new FleetController(options, port, agentPort);
    scope.add(() => controller.stop());
    return controller;
  }

  get pid(): number {
    if (!this.#process) throw new Error("the controller is not started");
    return this.#process.pid;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const [command, ...args] = controllerCommand;
    this.#process = spawnProcess({ command, args, env: { ...this.#env } });
    await this.#process.waitForLine("Berth is ready", readyTimeoutMs);
  }

  /** Kills it, as a crash would. */
  async crash(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async stop(): Promise<void> {
    await this.#process?.stop(stopGraceMs);
    this.#process = undefined;
  }

  /** Makes a call of the API as the fleet's owner. Throws unless it is taken. */
  async post(path: string, body?: object): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/api/v1${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
  }

  /** Where a viewer of a terminal connects. */
  viewer(terminalId: string): Address {
    const url = new URL(`ws://127.0.0.1:${this.#port}/api/v1/terminals/${terminalId}/attach?cols=80&rows=24`);
    return { url, headers: { authorization: `Bearer ${this.#token}` } };
  }
}
