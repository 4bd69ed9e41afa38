import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { ApiError } from "../../http/api-error.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { configIdList, firewallAddress, firewallPorts, splitList } from "../../schema/formats.ts";
import type { ParameterValue } from "../../schema/parameter.ts";
import { count, flag, node, text, vmid } from "../../schema/parameters.ts";
import { type Container, type FirewallRule, firewallDigest, requireDigest } from "../container.ts";

const audit = onContainer("VM.Audit");
const change = onContainer("VM.Config.Network");
const base = "/nodes/{node}/lxc/{vmid}/firewall";

const level = {
  type: "string",
  optional: true,
  enum: ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog"],
} as const;
const policy = { type: "string", optional: true, enum: ["ACCEPT", "REJECT", "DROP"] } as const;
const digest = { type: "string", maxLength: 64, optional: true } as const;
const names = { type: "string", format: configIdList, optional: true } as const;
const address = { type: "string", format: firewallAddress, maxLength: 512, optional: true } as const;
const ports = { type: "string", format: firewallPorts, optional: true } as const;
const direction = { type: "string", enum: ["in", "out", "forward", "group"] } as const;
const action = { type: "string", pattern: /[A-Za-z][A-Za-z0-9\-_]+/, minLength: 2, maxLength: 20 } as const;

const ruleParameters = {
  comment: text,
  dest: address,
  dport: ports,
  enable: count,
  "icmp-type": text,
  iface: { type: "string", minLength: 2, maxLength: 20, optional: true },
  log: level,
  macro: { type: "string", maxLength: 128, optional: true },
  proto: { type: "string", pattern: /[\w-]+/, optional: true },
  source: address,
  sport: ports,
} as const;

/**
 * Options and rules are kept and answered, and enforced by the backend where one can: processes of one machine share
 * its network, so there they are only kept.
 */
export function firewallRoutes(emulation: Emulation): Route[] {
  return [...optionRoutes(emulation), ...ruleRoutes(emulation), ...singleRuleRoutes(emulation)];
}

function optionRoutes({ store }: Emulation): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: `${base}/options`,
      permission: audit,
      parameters: { node, vmid },
      handle({ params }) {
        const container = store.require(params.vmid);
        return { ...container.firewall.options, digest: firewallDigest(container) };
      },
    }),
    defineRoute({
      method: "PUT",
      path: `${base}/options`,
      permission: change,
      parameters: {
        node,
        vmid,
        digest,
        delete: names,
        enable: flag,
        dhcp: flag,
        ipfilter: flag,
        macfilter: flag,
        ndp: flag,
        radv: flag,
        log_level_in: level,
        log_level_out: level,
        policy_in: policy,
        policy_out: policy,
      },
      async handle({ params }) {
        const { node: _node, vmid: id, digest: given, delete: removed, ...options } = params;
        const container = store.require(id);
        requireDigest(firewallDigest(container), given);
        for (const name of splitList(removed ?? "")) delete container.firewall.options[name];
        Object.assign(container.firewall.options, stored(options));
        await store.save(container);
        return null;
      },
    }),
  ];
}

function ruleRoutes({ store }: Emulation): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: `${base}/rules`,
      permission: audit,
      parameters: { node, vmid },
      handle({ params }) {
        const container = store.require(params.vmid);
        return container.firewall.rules.map((_, pos) => describeRule(container, pos));
      },
    }),
    defineRoute({
      method: "POST",
      path: `${base}/rules`,
      permission: change,
      parameters: { node, vmid, digest, pos: count, type: direction, action, ...ruleParameters },
      async handle({ params }) {
        const { node: _node, vmid: id, digest: given, pos, ...rule } = params;
        const container = store.require(id);
        requireDigest(firewallDigest(container), given);
        // Without a position a rule becomes the first.
        container.firewall.rules.splice(pos ?? 0, 0, stored(rule));
        await store.save(container);
        return null;
      },
    }),
  ];
}

function singleRuleRoutes({ store }: Emulation): Route[] {
  const pos = { type: "integer", minimum: 0 } as const;
  return [
    defineRoute({
      method: "GET",
      path: `${base}/rules/{pos}`,
      permission: audit,
      parameters: { node, vmid, pos },
      handle({ params }) {
        const container = store.require(params.vmid);
        requireRule(container, params.pos);
        return describeRule(container, params.pos);
      },
    }),
    defineRoute({
      method: "PUT",
      path: `${base}/rules/{pos}`,
      permission: change,
      parameters: {
        node,
        vmid,
        pos,
        digest,
        delete: names,
        moveto: count,
        type: { ...direction, optional: true },
        action: { ...action, optional: true },
        ...ruleParameters,
      },
      async handle({ params }) {
        const { node: _node, vmid: id, pos: at, digest: given, delete: removed, moveto, ...changes } = params;
        const container = store.require(id);
        const rule = requireRule(container, at);
        requireDigest(firewallDigest(container), given);
        for (const name of splitList(removed ?? "")) delete rule[name];
        Object.assign(rule, stored(changes));
        if (moveto !== undefined) {
          container.firewall.rules.splice(at, 1);
          container.firewall.rules.splice(moveto > at ? moveto - 1 : moveto, 0, rule);
        }
        await store.save(container);
        return null;
      },
    }),
    defineRoute({
      method: "DELETE",
      path: `${base}/rules/{pos}`,
      permission: change,
      parameters: { node, vmid, pos, digest },
      async handle({ params }) {
        const container = store.require(params.vmid);
        requireRule(container, params.pos);
        requireDigest(firewallDigest(container), params.digest);
        container.firewall.rules.splice(params.pos, 1);
        await store.save(container);
        return null;
      },
    }),
  ];
}

function requireRule(container: Container, pos: number): FirewallRule {
  const rule = container.firewall.rules[pos];
  if (!rule) throw ApiError.died(`no rule at position ${pos}`);
  return rule;
}

function describeRule(container: Container, pos: number): Record<string, unknown> {
  return { ...container.firewall.rules[pos], pos, digest: firewallDigest(container) };
}

function stored(values: Readonly<Record<string, ParameterValue | undefined>>): FirewallRule {
  const rule: FirewallRule = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) rule[name] = typeof value === "boolean" ? Number(value) : value;
  }
  return rule;
}
