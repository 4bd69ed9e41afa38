import { type ApiRequestable, type Proxmox, proxmoxApi } from "proxmox-api";
import type { AnsweredCall, AnswerReader } from "../answer.ts";
import type { Transport } from "../transport.ts";
import type { CallOptions } from "../transport-options.ts";

/** Makes typed calls over a transport and checks their answers. */
export class Connection {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /**
   * Makes one call on proxmox-api's proxy and reads its answer. The proxy has no room for per-call options, so each
   * call gets a proxy of its own (two small objects), bound to them.
   */
  async ask<T>(
    call: CallOptions | undefined,
    read: AnswerReader<T>,
    invoke: (api: Proxmox.Api) => Promise<unknown>,
  ): Promise<T> {
    let answered: AnsweredCall = { method: "GET", path: "" };
    const requestable: ApiRequestable = {
      doRequest: async (method, path, _template, params) => {
        const answer = await this.transport.call({ ...call, method, path, params });
        answered = answer.call;
        return answer.data;
      },
    };
    return read(await invoke(proxmoxApi(requestable)), answered);
  }
}
