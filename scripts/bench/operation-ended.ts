import { type Operation, operationEvents, routeUrl } from "@berth/protocol";
import type { Berth } from "@berth/testkit";

/** Follows an operation's events, as the console does, until it is done; rejects if it has not succeeded. */
export async function operationEnded(berth: Berth, id: string): Promise<Operation> {
  const url = `${berth.url}${routeUrl(operationEvents, { params: { id } })}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${berth.token}` } });
  // The stream ends when the operation has.
  await response.text();
  return berth.ended(id);
}
