import { request } from "node:https";
import type { EmulatorFacts } from "./emulator-facts.ts";
import { storedCertificate } from "./http/certificate.ts";

const answerTimeoutMs = 10_000;

/** PUTs JSON to a running emulator, whose certificate its data folder has. Throws when the answer is not 200. */
export async function tellEmulator(
  dataDir: string,
  facts: Pick<EmulatorFacts, "url" | "token">,
  path: string,
  content: unknown,
): Promise<void> {
  const body = JSON.stringify(content);
  const ca = await storedCertificate(dataDir);
  await new Promise<void>((resolve, reject) => {
    const call = request(
      `${facts.url}${path}`,
      {
        method: "PUT",
        agent: false,
        ca,
        timeout: answerTimeoutMs,
        headers: {
          Authorization: `PVEAPIToken=${facts.token}`,
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(body),
        },
      },
      (response) => {
        response.resume();
        response.on("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`the Proxmox emulator answered ${response.statusCode} ${response.statusMessage}`));
        });
      },
    );
    call.on("timeout", () => call.destroy(new Error("the Proxmox emulator did not answer")));
    call.on("error", reject);
    call.end(body);
  });
}
