/** What a page's address names. */
export type Place =
  | { readonly page: "fleet" }
  | { readonly page: "sandbox"; readonly name: string; readonly terminalId: string | undefined }
  | { readonly page: "template" }
  | { readonly page: "settings" }
  | { readonly page: "unknown" };

/** Reads an address's path. */
export function placeOf(path: string): Place {
  const [first, name, terminalId, ...rest] = path.split("/").filter(Boolean);
  if (first === undefined) return { page: "fleet" };
  if (first === "template" && name === undefined) return { page: "template" };
  if (first === "settings" && name === undefined) return { page: "settings" };
  if (first === "sandboxes" && name !== undefined && rest.length === 0) return { page: "sandbox", name, terminalId };
  return { page: "unknown" };
}

export const fleetPath = "/";
export const templatePath = "/template";
export const settingsPath = "/settings";

/** The address of a sandbox, or of one of its terminals. */
export function sandboxPath(name: string, terminalId?: string): string {
  return terminalId === undefined ? `/sandboxes/${name}` : `/sandboxes/${name}/${terminalId}`;
}
