import { isIPv4, isIPv6 } from "node:net";
import type { Format } from "./parameter.ts";

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const dnsNamePattern = new RegExp(`^(?:${label}\\.)*${label}$`);
const tagPattern = /^[a-z0-9_][a-z0-9_\-+.]*$/i;

/** Splits one of PVE's lists: commas, semicolons, spaces and NUL separate. */
export function splitList(text: string): string[] {
  return text.split(/[,;\s\0]+/).filter((item) => item !== "");
}

const matching =
  (pattern: RegExp, complain: (value: string) => string): Format =>
  (value) =>
    pattern.test(value) ? undefined : complain(value);

const listOf =
  (item: Format): Format =>
  (value, key) => {
    for (const one of splitList(value)) {
      const complaint = item(one, key);
      if (complaint !== undefined) return complaint;
    }
    return undefined;
  };

export const dnsName: Format = (value) =>
  value.length <= 255 && dnsNamePattern.test(value) ? undefined : "value does not look like a valid DNS name";

export const configId = matching(/^[a-z][a-z0-9_-]+$/i, (value) => `invalid configuration ID '${value}'`);
export const configIdList = listOf(configId);
export const storageId = matching(
  /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i,
  (value) => `storage ID '${value}' contains illegal characters`,
);
export const nodeName = matching(
  new RegExp(`^${label}$`),
  (value) => `value does not look like a valid node name '${value}'`,
);
export const poolId: Format = (value) =>
  value.length <= 129 && /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+){0,2}$/.test(value)
    ? undefined
    : `value '${value}' does not look like a valid pool name`;
export const vmidList = listOf(
  matching(/^[1-9]\d{2,8}$/, (value) => `value does not look like a valid VM ID '${value}'`),
);
export const tagList = listOf(matching(tagPattern, () => "invalid characters in tag"));
export const dnsNameList = listOf(dnsName);
export const ipv4: Format = (value) => (isIPv4(value) ? undefined : "value does not look like a valid IPv4 address");
export const ipv6: Format = (value) => (isIPv6(value) ? undefined : "value does not look like a valid IPv6 address");
export const macAddress = matching(
  /^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/i,
  () => "value does not look like a valid unicast MAC address",
);

export const ipv4Config: Format = (value) =>
  value === "dhcp" || value === "manual" || isCidr(value, isIPv4, 32)
    ? undefined
    : "value does not look like a valid ipv4 network configuration";
export const ipv6Config: Format = (value) =>
  value === "auto" || value === "dhcp" || value === "manual" || isCidr(value, isIPv6, 128)
    ? undefined
    : "value does not look like a valid ipv6 network configuration";

/** Resolvers of a container: addresses, or the word `host`. */
export const nameservers: Format = (value) =>
  splitList(value).every((item) => item === "host" || isIPv4(item) || isIPv6(item))
    ? undefined
    : "value does not look like a valid IP address list";

/** Source or destination of a firewall rule: addresses, networks, ranges, or the name of an alias or set. */
export const firewallAddress: Format = (value) => {
  const isOne = (item: string) =>
    /^\+?(?:(?:guest|dc)\/)?[a-z][\w-]+$/i.test(item) ||
    isIPv4(item) ||
    isIPv6(item) ||
    isCidr(item, isIPv4, 32) ||
    isCidr(item, isIPv6, 128) ||
    item.split("-").every((end) => isIPv4(end));
  return value !== "" && splitList(value).every(isOne) ? undefined : `${value}: is not a valid address specification`;
};

export const firewallPorts: Format = (value) => {
  const isPort = (text: string) => (/^\d+$/.test(text) ? Number(text) <= 65535 : /^[a-z][\w-]*$/i.test(text));
  return splitList(value).every((item) => item.split(":").every(isPort)) ? undefined : `invalid port '${value}'`;
};

export const startupOrder: Format = (value) =>
  value.split(",").every((part) => /^(?:(?:order=)?\d+|up=\d+|down=\d+)$/.test(part.trim()))
    ? undefined
    : "unable to parse startup options";

function isCidr(value: string, isAddress: (text: string) => boolean, maximum: number): boolean {
  const [address = "", prefix = "", ...rest] = value.split("/");
  return rest.length === 0 && isAddress(address) && /^\d{1,3}$/.test(prefix) && Number(prefix) <= maximum;
}
