import { BerthError } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";

/** A question to Proxmox whose failure is the caller's answer: `proxmox_unavailable`. */
export async function asked<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (isProxmoxError(error))
      throw new BerthError("proxmox_unavailable", error.message, { hint: error.hint, cause: error });
    throw error;
  }
}
