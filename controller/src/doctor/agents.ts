import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import type { DoctorCheck } from "@berth/protocol";
import { fine, troubled } from "./check.ts";

/** How agents are told to dial. */
export interface AgentAddress {
  /** BERTH_AGENT_URL; undefined: each is told the address that its sandbox was reached from. */
  readonly url: URL | undefined;
  /** Where the listener listens by itself. */
  readonly host: string;
  readonly port: number;
  /** PEM: the only certificate that agents believe. */
  readonly certificate: string;
  /** Containers are on this very machine, as those of the bundled Proxmox. */
  readonly local: boolean;
}

const dialTimeoutMs = 5_000;
const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0|\[?::\]?)$/i;
const howTo = "Set BERTH_AGENT_URL to wss://ADDRESS:PORT by which containers reach this machine";

/**
 * Whether agents can find this controller, as far as that can be seen from here: by its very certificate at the address
 * that they are told, which must not be one that means another machine to each of them.
 */
export async function checkAgentAddress(address: AgentAddress): Promise<DoctorCheck> {
  const { url, local } = address;
  const subject = { id: "agents:address", title: "Address for agents" };
  const host = url === undefined ? dialable(address.host) : bare(url.hostname);
  const port = url === undefined ? address.port : Number(url.port || 443);
  if (url !== undefined && !local && loopback.test(url.hostname)) {
    const detail = `BERTH_AGENT_URL is ${url.origin}, which in a container is the container itself.`;
    return troubled(subject, "failed", detail, `${howTo}, or leave it out.`);
  }
  const answer = await whoAnswers(host, port, address.certificate);
  if (answer.kind === "none") {
    const detail = `Nobody answers at ${host}:${port}: ${answer.reason}.`;
    return troubled(subject, "failed", detail, `${howTo}, and open the port in firewalls between.`);
  }
  if (answer.kind === "stranger") {
    const detail = `Something else than this controller's agent listener answers at ${host}:${port}.`;
    return troubled(subject, "failed", detail, `${howTo}, with no proxy between that ends TLS.`);
  }
  return fine(
    subject,
    url === undefined
      ? `It listens on port ${port}; each sandbox is told the address that it was reached from.`
      : `${url.origin} leads here.`,
  );
}

type Answer = { readonly kind: "listener" | "stranger" } | { readonly kind: "none"; readonly reason: string };

/** Who answers at an address: whoever shows that very certificate, as an agent would see it. */
function whoAnswers(host: string, port: number, certificate: string): Promise<Answer> {
  return new Promise((resolve) => {
    const wanted = new X509Certificate(certificate).fingerprint256;
    const isWanted = (seen: string) => (seen === wanted ? undefined : new Error("another certificate"));
    const socket = connect({
      ...{ host, port, ca: [certificate], timeout: dialTimeoutMs },
      checkServerIdentity: (_name, { fingerprint256 }) => isWanted(fingerprint256),
    });
    let reached = false;
    const done = (answer: Answer) => {
      socket.destroy();
      resolve(answer);
    };
    const failed = (reason: string) => done(reached ? { kind: "stranger" } : { kind: "none", reason });
    socket.once("connect", () => {
      reached = true;
    });
    socket.once("secureConnect", () => done({ kind: "listener" }));
    socket.once("timeout", () => failed(`no answer within ${dialTimeoutMs / 1000} s`));
    socket.once("error", (error) => failed(error.message));
  });
}

function dialable(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, "");
