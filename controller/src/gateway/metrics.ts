import { Counter, Gauge, type Registry } from "prom-client";

/** What Prometheus is told of the SSH gateway. */
export interface GatewayMetrics {
  readonly open: Gauge;
  readonly refused: Counter<"reason">;
  readonly bytes: Counter<"direction">;
}

/** Registers the gateway's metrics. */
export function gatewayMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry];
  return {
    open: new Gauge({
      name: "berth_ssh_sessions",
      help: "SSH sessions that are open at the gateway, jumps through it included",
      registers,
    }),
    refused: new Counter({
      name: "berth_ssh_refused_total",
      help: "SSH clients that were not let in: for their key, or for a limit",
      labelNames: ["reason"],
      registers,
    }),
    bytes: new Counter({
      name: "berth_ssh_bytes_total",
      help: "Bytes in channels of SSH sessions that have ended, from clients (in) and to them (out)",
      labelNames: ["direction"],
      registers,
    }),
  };
}
