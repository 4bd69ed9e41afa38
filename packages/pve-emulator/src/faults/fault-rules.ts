import { randomUUID } from "node:crypto";
import type { Fault, FaultRule } from "./fault.ts";

/** A rule as `GET /_faults` shows it. */
export interface ListedRule extends FaultRule {
  readonly id: string;
  /** Calls that it befell. */
  readonly hits: number;
  readonly released: boolean;
}

interface ActiveRule {
  readonly id: string;
  readonly rule: FaultRule;
  readonly pattern: RegExp;
  /** Calls that fitted, those that were let through included. */
  seen: number;
  hits: number;
  readonly release: AbortController;
}

/** The fault that befalls one call. */
export interface Mishap {
  readonly fault: Fault;
  /** The rule that it comes from. */
  readonly ruleId: string;
  /** Aborted when the rule is released or taken away: what is held or endless goes on. */
  readonly released: AbortSignal;
}

/** The faults that were asked for. They live in memory only: a restart is free of them. */
export class FaultRules {
  #rules: ActiveRule[] = [];

  /** Adds a rule behind the others and answers its id. Throws a SyntaxError when the path is no regular expression. */
  add(rule: FaultRule): string {
    const id = randomUUID();
    const pattern = new RegExp(rule.path);
    this.#rules.push({ id, rule, pattern, seen: 0, hits: 0, release: new AbortController() });
    return id;
  }

  list(): ListedRule[] {
    return this.#rules.map(({ id, rule, hits, release }) => ({ id, ...rule, hits, released: release.signal.aborted }));
  }

  /** Lets go what the rule holds, and befalls nobody any more. False when there is no such rule. */
  release(id: string): boolean {
    const found = this.#rules.find((rule) => rule.id === id);
    found?.release.abort();
    return found !== undefined;
  }

  /** Takes all rules away and lets go what they hold. */
  clear(): void {
    for (const { release } of this.#rules) release.abort();
    this.#rules = [];
  }

  /** The fault that befalls this call: of the first rule that fits, lets no more through and is not used up. */
  take(method: string, target: string, caller: string): Mishap | undefined {
    const found = this.#rules.find((active) => {
      const { rule, pattern, release } = active;
      if (release.signal.aborted || (rule.method !== undefined && rule.method !== method)) return false;
      if (!pattern.test(target) || (rule.caller !== undefined && rule.caller !== caller)) return false;
      active.seen += 1;
      return active.seen > (rule.skip ?? 0) && (rule.times === undefined || active.hits < rule.times);
    });
    if (!found) return undefined;
    found.hits += 1;
    return { fault: found.rule.fault, ruleId: found.id, released: found.release.signal };
  }
}
