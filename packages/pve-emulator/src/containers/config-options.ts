import {
  dnsName,
  dnsNameList,
  ipv4,
  ipv4Config,
  ipv6,
  ipv6Config,
  macAddress,
  nameservers,
  startupOrder,
  tagList,
} from "../schema/formats.ts";
import type { Parameter, ParameterSet } from "../schema/parameter.ts";
import { propertyString } from "../schema/property-string.ts";

/** An option of a container's configuration. */
export interface ConfigOption {
  readonly parameter: Parameter & { readonly optional: true };
  /** What a caller needs on the container to change it; `root` is root@pam itself. */
  readonly privilege: string;
  /** Whether a change applies to a running container at once; otherwise it is pending until the next start. */
  readonly live: boolean;
  readonly readOnly?: true;
}

const flag = { type: "boolean", optional: true } as const;
const text = { type: "string", optional: true } as const;
const word = { type: "string", optional: true, pattern: /[-_.\w]+/ } as const;
const mountOptions = { type: "string", optional: true, pattern: /[a-z]+(?:;[a-z]+)*/ } as const;

const netProperties: ParameterSet = {
  name: { type: "string", pattern: /[-_.\w]+/ },
  bridge: word,
  firewall: flag,
  gw: { type: "string", format: ipv4, optional: true },
  gw6: { type: "string", format: ipv6, optional: true },
  hwaddr: { type: "string", format: macAddress, optional: true },
  ip: { type: "string", format: ipv4Config, optional: true },
  ip6: { type: "string", format: ipv6Config, optional: true },
  link_down: flag,
  mtu: { type: "integer", minimum: 64, maximum: 65535, optional: true },
  rate: { type: "number", optional: true },
  tag: { type: "integer", minimum: 1, maximum: 4094, optional: true },
  trunks: { type: "string", pattern: /\d+(?:;\d+)*/, optional: true },
  type: { type: "string", enum: ["veth"], optional: true },
};

const featureProperties: ParameterSet = {
  force_rw_sys: flag,
  fuse: flag,
  keyctl: flag,
  mknod: flag,
  mount: { type: "string", pattern: /[a-zA-Z0-9_; ]+/, optional: true },
  nesting: flag,
};

const volumeProperties: ParameterSet = {
  volume: { type: "string" },
  acl: flag,
  mountoptions: mountOptions,
  quota: flag,
  replicate: flag,
  ro: flag,
  shared: flag,
  size: { type: "string", pattern: /\d+(?:\.\d+)?[KMGT]?/, optional: true },
};

const mountPointProperties: ParameterSet = { ...volumeProperties, mp: { type: "string" }, backup: flag };

const option = (privilege: string, live: boolean, parameter: Parameter & { optional: true }): ConfigOption => {
  return { privilege, live, parameter };
};
const general = (live: boolean, parameter: Parameter & { optional: true }) =>
  option("VM.Config.Options", live, parameter);

/** Every option, `net[n]` standing for `net0`, `net1`, …. */
export const configOptions: Readonly<Record<string, ConfigOption>> = {
  arch: general(false, {
    type: "string",
    optional: true,
    enum: ["amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"],
  }),
  cmode: general(false, { type: "string", optional: true, enum: ["shell", "console", "tty"] }),
  console: general(false, flag),
  cores: option("VM.Config.CPU", true, { type: "integer", minimum: 1, maximum: 8192, optional: true }),
  cpulimit: option("VM.Config.CPU", true, { type: "number", minimum: 0, maximum: 8192, optional: true }),
  cpuunits: option("VM.Config.CPU", true, { type: "integer", minimum: 0, maximum: 500000, optional: true }),
  debug: general(false, flag),
  description: general(true, { type: "string", maxLength: 8192, optional: true }),
  "dev[n]": option("root", false, { type: "string", optional: true, instances: 256 }),
  features: general(false, { type: "string", format: propertyString(featureProperties), optional: true }),
  hookscript: option("root", true, text),
  hostname: option("VM.Config.Network", true, { type: "string", format: dnsName, maxLength: 255, optional: true }),
  lock: option("root", true, {
    type: "string",
    optional: true,
    enum: ["backup", "create", "disk", "migrate", "snapshot"],
  }),
  memory: option("VM.Config.Memory", true, { type: "integer", minimum: 16, optional: true }),
  "mp[n]": option("VM.Config.Disk", true, {
    type: "string",
    format: propertyString(mountPointProperties, "volume"),
    optional: true,
    instances: 256,
  }),
  nameserver: option("VM.Config.Network", false, { type: "string", format: nameservers, optional: true }),
  "net[n]": option("VM.Config.Network", true, {
    type: "string",
    format: propertyString(netProperties),
    optional: true,
    instances: 32,
  }),
  onboot: general(true, flag),
  ostype: general(false, {
    type: "string",
    optional: true,
    enum: "debian devuan ubuntu centos fedora opensuse archlinux alpine gentoo nixos unmanaged".split(" "),
  }),
  protection: general(true, flag),
  rootfs: option("VM.Config.Disk", false, {
    type: "string",
    format: propertyString(volumeProperties, "volume"),
    optional: true,
  }),
  searchdomain: option("VM.Config.Network", false, { type: "string", format: dnsNameList, optional: true }),
  startup: general(true, { type: "string", format: startupOrder, optional: true }),
  swap: option("VM.Config.Memory", true, { type: "integer", minimum: 0, optional: true }),
  tags: general(true, { type: "string", format: tagList, optional: true }),
  template: general(false, flag),
  timezone: general(false, { type: "string", pattern: /[\w+\-/]+/, optional: true }),
  tty: general(false, { type: "integer", minimum: 0, maximum: 6, optional: true }),
  unprivileged: { ...general(false, flag), readOnly: true },
  "unused[n]": option("VM.Config.Disk", true, { type: "string", optional: true, instances: 256 }),
};

/** The options as the parameters of a call. */
export const configParameters = Object.fromEntries(
  Object.entries(configOptions).map(([name, { parameter }]) => [name, parameter]),
);

/** The option of this name; `net0` is a `net[n]`. */
export function configOption(name: string): ConfigOption | undefined {
  if (Object.hasOwn(configOptions, name)) return configOptions[name];
  const [, family, index] = /^([a-z]+)(\d{1,3})$/.exec(name) ?? [];
  const found = family === undefined ? undefined : configOptions[`${family}[n]`];
  return found && Number(index) < (found.parameter.instances ?? 0) ? found : undefined;
}
