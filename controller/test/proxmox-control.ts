import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { parseJson } from "@berth/protocol";
import { emulatorFactsSchema, type FaultRule, type PctCommand } from "@berth/pve-emulator";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

const certificateSchema = Type.Object({ certificate: Type.String() });
const ruleIdSchema = Type.Object({ data: Type.String() });
const rulesSchema = Type.Object({ data: Type.Array(Type.Object({ id: Type.String(), hits: Type.Integer() })) });
const callsSchema = Type.Object({
  data: Type.Array(
    Type.Object({ number: Type.Integer(), method: Type.String(), target: Type.String(), caller: Type.String() }),
  ),
});

/** The ends of a running emulator that are for tests. */
export class ProxmoxControl {
  readonly facts: Static<typeof emulatorFactsSchema>;
  readonly #agent: Agent;

  private constructor(facts: Static<typeof emulatorFactsSchema>, certificate: string) {
    this.facts = facts;
    this.#agent = new Agent({ ca: certificate });
  }

  /** Of the emulator that runs over this folder. */
  static async open(folder: string): Promise<ProxmoxControl> {
    const facts = Value.Parse(emulatorFactsSchema, parseJson(await readFile(join(folder, "emulator.json"), "utf8")));
    const keys = parseJson(await readFile(join(folder, "certificate.json"), "utf8"));
    return new ProxmoxControl(facts, Value.Parse(certificateSchema, keys).certificate);
  }

  /** Adds a rule for what the controller calls; answers its id. */
  async addFault(rule: FaultRule): Promise<string> {
    return Value.Parse(ruleIdSchema, await this.#ask("POST", "/_faults", { ...rule, caller: this.#controller })).data;
  }

  /** How many calls a rule has befallen. */
  async hitsOf(id: string): Promise<number> {
    const { data } = Value.Parse(rulesSchema, await this.#ask("GET", "/_faults"));
    return data.find((rule) => rule.id === id)?.hits ?? 0;
  }

  async clearFaults(): Promise<void> {
    await this.#ask("DELETE", "/_faults");
  }

  async pct(command: PctCommand): Promise<void> {
    await this.#ask("POST", "/_pct", command);
  }

  /** The calls that the controller made after the one of this number. */
  async callsSince(number: number): Promise<Static<typeof callsSchema>["data"]> {
    const { data } = Value.Parse(callsSchema, await this.#ask("GET", `/_calls?since=${number}`));
    return data.filter(({ caller }) => caller === this.#controller);
  }

  /** Who the controller is to Proxmox. */
  get #controller(): string {
    return this.facts.token.split("=")[0] ?? "";
  }

  #ask(method: string, path: string, content?: object): Promise<unknown> {
    const body = content ? JSON.stringify(content) : "";
    const headers = {
      authorization: `PVEAPIToken=${this.facts.token}`,
      "content-length": Buffer.byteLength(body),
      ...(content ? { "content-type": "application/json" } : {}),
    };
    return new Promise((resolve, reject) => {
      const call = request(`${this.facts.url}${path}`, { method, agent: this.#agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () => {
          if (response.statusCode === 200) resolve(parseJson(Buffer.concat(chunks).toString("utf8")));
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${response.statusMessage}`));
        });
      });
      call.once("error", reject);
      call.end(body);
    });
  }
}
