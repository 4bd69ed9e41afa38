import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { conversationIdSchema, idPrefixes, idSchema, nameSchema, newId, referenceSchema } from "../src/index.ts";

describe("a new id", () => {
  it.each(Object.entries(idPrefixes))("of a %s has the form of an id, with its prefix", (kind, prefix) => {
    const id = newId(kind as keyof typeof idPrefixes);
    expect(id).toMatch(new RegExp(`^${prefix}_[0-9a-z]{20}$`));
    expect(Value.Check(idSchema, id)).toBe(true);
    expect(Value.Check(referenceSchema, id)).toBe(true);
  });

  it("is like no other", () => {
    const ids = new Set(Array.from({ length: 20_000 }, () => newId("sandbox")));
    expect(ids.size).toBe(20_000);
  });

  it("favours no letter", () => {
    const counts = new Map<string, number>();
    const idCount = 20_000;
    for (let made = 0; made < idCount; made += 1) {
      for (const letter of newId("token").slice(4)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    const expected = (idCount * 20) / 36;
    expect(counts.size).toBe(36);
    // Seven standard deviations: by chance once in 10^10 runs. Taking all bytes would favour four letters by 12 %.
    for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(7 * Math.sqrt(expected));
  });
});

describe("a name", () => {
  const longest = `a${"-".repeat(61)}b`;

  it.each(["a", "0", "dev", "a-b", "a--b", "9lives", "123", "xn--nxasmq6b", "a".repeat(63), longest])(
    "may be %s",
    (name) => {
      expect(Value.Check(nameSchema, name)).toBe(true);
      expect(Value.Check(referenceSchema, name)).toBe(true);
    },
  );

  it.each(["", "-", "-a", "a-", "A", "a_b", "a.b", "a b", "a\n", "\na", "é", "a\0", "a/b", "..", "a".repeat(64)])(
    "may not be %j",
    (name) => {
      expect(Value.Check(nameSchema, name)).toBe(false);
    },
  );

  it("is never an id, nor an id a name", () => {
    for (const kind of ["sandbox", "operation", "user"] as const)
      expect(Value.Check(nameSchema, newId(kind))).toBe(false);
    expect(Value.Check(idSchema, "a".repeat(24))).toBe(false);
  });

  it.each(["", "..", "a/b", "a.b", "-a", "_a", "A", "a".repeat(64), "a\n"])("in a reference is not %j", (reference) => {
    expect(Value.Check(referenceSchema, reference)).toBe(false);
  });
});

describe("a conversation's id", () => {
  it("is a UUID in lower case", () => {
    const id = crypto.randomUUID();
    expect(Value.Check(conversationIdSchema, id)).toBe(true);
    for (const other of [id.toUpperCase(), id.replaceAll("-", ""), `${id}0`, `${id}\n`, `--help`, ""]) {
      expect(Value.Check(conversationIdSchema, other)).toBe(other === id);
    }
  });
});
