/**
 * Proxmox's property strings, such as `name=eth0,bridge=vmbr0` or `local-zfs:subvol-150-disk-0,size=8G`. A part without
 * `=` is the value of the default key, whose name the caller knows (`volume` for a disk, for instance).
 */
export type Properties = Readonly<Record<string, string>>;

/** Parses a property string. Throws a RangeError on a repeated key, or a bare part without a default key. */
export function parsePropertyString(text: string, defaultKey?: string): Properties {
  const properties: Record<string, string> = {};
  for (const part of text.split(",")) {
    if (part === "") continue;
    const [key, value] = splitPart(part, defaultKey);
    if (Object.hasOwn(properties, key)) throw new RangeError(`"${key}" twice in the property string "${text}"`);
    properties[key] = value;
  }
  return properties;
}

function splitPart(part: string, defaultKey: string | undefined): [key: string, value: string] {
  const equals = part.indexOf("=");
  if (equals > 0) return [part.slice(0, equals).trim(), part.slice(equals + 1)];
  if (equals < 0 && defaultKey !== undefined) return [defaultKey, part];
  throw new RangeError(`"${part}" has no key in a property string`);
}

/**
 * Formats a property string; keys keep their order, undefined ones are left out, booleans become 1 and 0. The default
 * key's value comes first and bare. Throws a RangeError on a comma in a value: the format has no escape for it.
 */
export function formatPropertyString(
  properties: Readonly<Record<string, string | number | boolean | undefined>>,
  defaultKey?: string,
): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    const text = typeof value === "boolean" ? (value ? "1" : "0") : String(value);
    if (/[,\n\r]/.test(text)) throw new RangeError(`a comma or line break in "${key}" of a property string`);
    if (key === defaultKey) parts.unshift(text);
    else parts.push(`${key}=${text}`);
  }
  return parts.join(",");
}
