import { problemError, routeUrl, terminalRecording } from "@berth/protocol";

/**
 * Has the browser save a terminal's recording, as it comes; the server names the file. Rejects with `BerthError` if there
 * is none: a browser would only say that a download failed, so it is asked for once before.
 */
export async function downloadRecording(terminalId: string): Promise<void> {
  const url = routeUrl(terminalRecording, { params: { id: terminalId }, query: {} });
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw problemError(answer.status, await answer.text());
  await answer.body?.cancel();
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}
