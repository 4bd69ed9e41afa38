/**
 * Why a call to Proxmox VE failed. `kind` tells the cases apart; each carries what the caller needs to act on it.
 * The texts that they are read from were measured against PVE 8.4.
 */
export type ProxmoxFailure =
  /** No usable connection: none could be made, or it broke before the whole answer had arrived. */
  | { readonly kind: "unreachable"; readonly address: string; readonly detail: string }
  /** The server's certificate is not the pinned one, or no known CA vouches for it. Nothing was sent. */
  | {
      readonly kind: "certificate";
      readonly address: string;
      readonly detail: string;
      /** SHA-256 of the certificate that the server showed, `AA:BB:…`; undefined if it could not be read. */
      readonly seen: string | undefined;
      /** The pinned fingerprints; empty when the trust was in a CA. */
      readonly expected: readonly string[];
    }
  /** 401: credentials missing, wrong or expired. The call did not act. */
  | { readonly kind: "unauthorized"; readonly detail: string; readonly principal: string }
  /** 403: the credentials are good, a privilege is missing. Also the answer for things that do not exist. */
  | {
      readonly kind: "forbidden";
      readonly detail: string;
      readonly principal: string;
      /** The object, such as `/vms/150`; undefined when Proxmox did not say. */
      readonly objectPath: string | undefined;
      /** The privileges of which one is missing; empty when Proxmox did not say. */
      readonly privileges: readonly string[];
    }
  /** 400: parameters refused. `errors` names them. */
  | { readonly kind: "invalid"; readonly detail: string; readonly errors: Readonly<Record<string, string>> }
  /** Another piece of work holds the container's lock (`disk`, `create`, `snapshot`, …). Try again later. */
  | { readonly kind: "locked"; readonly detail: string; readonly lock: string }
  /** A lock file of the configuration or a storage was not had within 10 s. Try again later. */
  | { readonly kind: "lock_timeout"; readonly detail: string }
  /** The id is taken. */
  | { readonly kind: "exists"; readonly detail: string; readonly vmid: number }
  /** No such container **on the node that was asked**; it may live on another. */
  | { readonly kind: "missing"; readonly detail: string; readonly vmid: number }
  | { readonly kind: "running"; readonly detail: string }
  | { readonly kind: "not_running"; readonly detail: string }
  /** The container's protection flag forbids it. */
  | { readonly kind: "protected"; readonly detail: string }
  /** The configuration is not the one whose digest was given: read it again. */
  | { readonly kind: "modified"; readonly detail: string }
  /** 595: the node that was asked about does not answer the one that was asked. */
  | { readonly kind: "node_offline"; readonly detail: string }
  /** The answer did not come in time. */
  | { readonly kind: "timeout"; readonly phase: "headers" | "body"; readonly timeoutMs: number }
  /** The answer is not what Proxmox answers: not JSON, too large, or a field that we rely on is not there. */
  | { readonly kind: "protocol"; readonly detail: string }
  /** A setting (address, fingerprint, token) that cannot work. No call was made. */
  | { readonly kind: "settings"; readonly detail: string }
  /** Anything else that Proxmox said. */
  | { readonly kind: "other"; readonly detail: string };

export type ProxmoxFailureKind = ProxmoxFailure["kind"];

/** The failure of one kind. */
export type FailureOf<K extends ProxmoxFailureKind> = Extract<ProxmoxFailure, { kind: K }>;
