import { BerthError, Client } from "@berth/protocol";

/**
 * The API of the page's own controller; the session's cookie signs in.
 *
 * @param onSignedOut The session has ended: some call was answered 401.
 */
export function createApi(onSignedOut: () => void): Client {
  return new Client({
    baseUrl: "",
    fetch: async (input, init) => {
      const response = await reach(input, init);
      if (response.status === 401 && !isSignIn(input)) onSignedOut();
      return response;
    },
  });
}

/** A wrong password is answered 401 too, and says nothing of the session. */
function isSignIn(input: RequestInfo | URL): boolean {
  return String(input).endsWith("/auth/login");
}

/** A request that gets no answer says why in words: the browser's own are "Failed to fetch". */
async function reach(input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
  try {
    return await fetch(input, { ...init, credentials: "same-origin" });
  } catch (cause) {
    if (init?.signal?.aborted) throw cause;
    throw new BerthError("not_ready", "The controller does not answer.", {
      hint: "Check that it runs and that this device can reach it, then try again.",
      cause,
    });
  }
}
