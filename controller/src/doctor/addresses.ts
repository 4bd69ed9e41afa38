import type { Clock } from "@berth/base";
import type { DoctorCheck } from "@berth/protocol";
import { isProxmoxError, type ProxmoxVersion } from "@berth/proxmox";
import { connectProxmox } from "../cluster/connection.ts";
import type { ProxmoxAccess } from "../settings/settings.ts";
import { briefly, fine, troubled } from "./check.ts";

/** The oldest version that tells containers' addresses and checks SDN.Use. */
const oldestMajor = 8;

/** Each address of Proxmox by itself: whether it answers, who it proves to be, and its version. */
export async function checkAddresses(access: ProxmoxAccess, clock: Clock): Promise<readonly DoctorCheck[]> {
  const answers = await Promise.all(access.urls.map(async (url) => ({ url, answer: await ask(access, url, clock) })));
  const someAnswer = answers.some(({ answer }) => !(answer instanceof Error));
  return answers.flatMap(({ url, answer }) => [
    checkReach(url, answer, someAnswer),
    checkCertificate(url, answer, access),
    checkVersion(url, answer),
  ]);
}

async function ask(access: ProxmoxAccess, url: string, clock: Clock): Promise<ProxmoxVersion | Error> {
  try {
    const client = connectProxmox({ ...access, urls: [url] }, clock, () => {});
    try {
      return await client.cluster.version(briefly());
    } finally {
      await client[Symbol.asyncDispose]();
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function checkReach(url: string, answer: ProxmoxVersion | Error, someAnswer: boolean): DoctorCheck {
  const subject = { id: `proxmox:${url}`, title: `Proxmox at ${url}` };
  if (!(answer instanceof Error)) return fine(subject, "It answers, and takes the API token.");
  const hint = isProxmoxError(answer)
    ? answer.hint
    : "Check the address (PROXMOX_URL) and the network between here and there.";
  // The others serve meanwhile; a bad certificate or token is not a matter of the address.
  const away = !isProxmoxError(answer) || isProxmoxError(answer, "unreachable", "timeout");
  return troubled(subject, away && someAnswer ? "warning" : "failed", answer.message, hint);
}

function checkCertificate(url: string, answer: ProxmoxVersion | Error, { fingerprints }: ProxmoxAccess): DoctorCheck {
  const subject = { id: `certificate:${url}`, title: `Certificate of ${url}` };
  if (isProxmoxError(answer, "certificate")) return troubled(subject, "failed", answer.message, answer.hint);
  // A refusal of the token comes from a server whose certificate was believed.
  if (answer instanceof Error && !isProxmoxError(answer, "unauthorized", "forbidden")) {
    return troubled(subject, "unknown", "It could not be seen.");
  }
  return fine(
    subject,
    fingerprints.length > 0
      ? "It is the one whose fingerprint is pinned."
      : "An authority that this machine trusts vouches for it.",
  );
}

function checkVersion(url: string, answer: ProxmoxVersion | Error): DoctorCheck {
  const subject = { id: `version:${url}`, title: `Version of ${url}` };
  if (answer instanceof Error) return troubled(subject, "unknown", "It could not be asked.");
  const major = Number.parseInt(answer.version, 10);
  if (major >= oldestMajor) return fine(subject, `Proxmox VE ${answer.version}.`);
  return troubled(
    subject,
    "failed",
    `Proxmox VE ${answer.version} is older than ${oldestMajor}, which Berth needs.`,
    "Upgrade the node: https://pve.proxmox.com/wiki/Category:Upgrade",
  );
}
