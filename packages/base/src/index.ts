export { type BackoffOptions, backoffMs } from "./backoff.ts";
export { type Clock, systemClock } from "./clock.ts";
export { Gate } from "./gate.ts";
export { type Release, Scope } from "./scope.ts";
export { SerialQueue } from "./serial.ts";
export { after, every } from "./timer.ts";
export { unreachable } from "./unreachable.ts";
