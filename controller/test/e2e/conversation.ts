import type { AttachedTerminal, MessagesStub } from "@berth/testkit";
import { expect } from "vitest";

/** What a request to the model was about, as Claude sent it: the conversation that it is of, and all of it so far. */
export interface Asked {
  readonly sessionId: string | undefined;
  readonly history: string;
}

/** Has Claude say something, and answers what it sent to the model for that. */
export async function converse(viewer: AttachedTerminal, stub: MessagesStub, words: string): Promise<Asked> {
  await viewer.waitForText(/^\s*❯/m, 20_000);
  viewer.write(`say ${words}`);
  await viewer.waitForText(`say ${words}`);
  viewer.write("\r");
  await viewer.waitForText(new RegExp(`●\\s+${words}`), 20_000);
  const request = stub.requests.findLast(({ prompt, tools }) => prompt.includes(words) && tools.length > 0);
  expect(request, `nothing was asked of "${words}"`).toBeDefined();
  return { sessionId: request?.sessionId, history: JSON.stringify(request?.body) };
}
