import { wrongUsage } from "../failure.ts";

/** The address of a controller without a path; a host alone means http on Berth's own port. */
export function baseUrl(text: string): string {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "") {
    throw wrongUsage(`"${text}" is not the address of a controller.`, "It looks like http://127.0.0.1:7400.");
  }
  return url.origin;
}
