import type { DoctorCheck } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";

type Subject = Pick<DoctorCheck, "id" | "title">;

export function fine(subject: Subject, detail: string): DoctorCheck {
  return { ...subject, state: "ok", detail, fix: null };
}

export function troubled(
  subject: Subject,
  state: Exclude<DoctorCheck["state"], "ok">,
  detail: string,
  fix: string | null = null,
): DoctorCheck {
  return { ...subject, state, detail, fix };
}

/** What a look came to that ended with an error: unknown, with the error's words. */
export function unseen(subject: Subject, error: unknown): DoctorCheck {
  if (isProxmoxError(error)) return troubled(subject, "unknown", error.message, error.hint);
  const message = error instanceof Error ? error.message : String(error);
  return troubled(subject, "unknown", message);
}

/** Looks, and says so where that was not possible. */
export async function look(
  subject: Subject,
  at: () => Promise<DoctorCheck | readonly DoctorCheck[]>,
): Promise<readonly DoctorCheck[]> {
  try {
    return [await at()].flat();
  } catch (error) {
    return [unseen(subject, error)];
  }
}

/** How long one question to Proxmox may take, in milliseconds: somebody waits for all of them. */
const questionTimeoutMs = 5_000;

/** The options of a question that is not repeated. */
export function briefly(): { getRetries: 0; signal: AbortSignal } {
  return { getRetries: 0, signal: AbortSignal.timeout(questionTimeoutMs) };
}
