/**
 * Takes the token of a one-time set-up link, `/#setup=<token>`, out of the address bar at once, so that neither the
 * history nor a look over the shoulder keeps it.
 */
export function takeSetupToken(location: Location, history: History): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get("setup");
  if (token === null) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}
