import type { Format, ParameterSet } from "./parameter.ts";
import { checkParameters } from "./verify.ts";

/** A property string such as `name=eth0,bridge=vmbr0`, taken apart. */
export type Properties = Record<string, string>;

/** What is wrong with a property string. */
class Complaint {
  readonly complaint: string;

  constructor(complaint: string) {
    this.complaint = complaint;
  }
}

const isComplaint = (result: Properties | Complaint): result is Complaint => result instanceof Complaint;

/** Takes a property string apart. A part without `=` belongs to `defaultKey`; without one it is a complaint. */
export function parsePropertyString(text: string, defaultKey?: string): Properties | Complaint {
  const properties: Properties = {};
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const equals = part.indexOf("=");
    const key = equals < 0 ? defaultKey : part.slice(0, equals).trim();
    if (key === undefined) return new Complaint("missing key in comma-separated list property");
    if (key in properties) return new Complaint(`duplicate key in comma-separated list property: ${key}`);
    properties[key] = equals < 0 ? part.trim() : part.slice(equals + 1).trim();
  }
  return properties;
}

/** Takes apart what was verified before. */
export function readPropertyString(text: string, defaultKey?: string): Properties {
  const properties = parsePropertyString(text, defaultKey);
  return isComplaint(properties) ? {} : properties;
}

/** Puts it together as PVE does: `first` leads, the other keys follow by name. */
export function formatPropertyString(properties: Properties, first: string): string {
  const keys = Object.keys(properties)
    .filter((key) => key !== first)
    .sort();
  if (first in properties) keys.unshift(first);
  return keys.map((key) => `${key}=${properties[key]}`).join(",");
}

/** A format that takes a property string with these properties. Words are booleans in it: `nesting=yes`. */
export function propertyString(set: ParameterSet, defaultKey?: string): Format {
  return (value, key) => {
    const properties = parsePropertyString(value, defaultKey);
    if (isComplaint(properties)) return `format error\n${key}: ${properties.complaint}\n`;
    const raw = Object.fromEntries(
      Object.entries(properties).map(([name, text]) => [name, set[name]?.type === "boolean" ? bit(text) : text]),
    );
    const { errors } = checkParameters(set, raw);
    const lines = Object.entries(errors).map(([name, complaint]) => `${key}.${name}: ${complaint}\n`);
    return lines.length > 0 ? `format error\n${lines.join("")}` : undefined;
  };
}

/** Whether a property is switched on, in any of PVE's words for it. */
export function isOn(text: string | undefined): boolean {
  return text !== undefined && bit(text) === "1";
}

function bit(text: string): string {
  if (/^(?:1|on|yes|true)$/i.test(text)) return "1";
  if (/^(?:0|off|no|false)$/i.test(text)) return "0";
  return text;
}
