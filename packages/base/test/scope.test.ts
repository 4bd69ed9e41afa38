import { describe, expect, it } from "vitest";
import { type Release, Scope } from "../src/index.ts";

/** A release that ends only when it is told to. */
function heldRelease(): { release: Release; end(): void; begun(): boolean } {
  let begun = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  const release = () => {
    begun = true;
    return promise;
  };
  return { release, end: resolve, begun: () => begun };
}

describe("a scope", () => {
  it("releases last-in-first-out, each after the one before it has ended", async () => {
    const scope = new Scope();
    const order: string[] = [];
    const held = heldRelease();
    scope.add(() => void order.push("first"));
    scope.add(held.release);
    scope.add(() => void order.push("last"));
    const disposal = scope.dispose();
    await Promise.resolve();
    expect(held.begun()).toBe(true);
    expect(order).toEqual(["last"]);
    held.end();
    await disposal;
    expect(order).toEqual(["last", "first"]);
  });

  it("owns asynchronous and plain disposables, and answers them", async () => {
    const scope = new Scope();
    const order: string[] = [];
    const plain = { [Symbol.dispose]: () => void order.push("plain") };
    const slow = { [Symbol.asyncDispose]: async () => void order.push("slow") };
    expect(scope.own(plain)).toBe(plain);
    expect(scope.own(slow)).toBe(slow);
    await scope[Symbol.asyncDispose]();
    expect(order).toEqual(["slow", "plain"]);
  });

  it("keeps the first error and skips no release", async () => {
    const scope = new Scope();
    const released: number[] = [];
    for (const number of [1, 2, 3, 4]) {
      scope.add(() => {
        released.push(number);
        if (number % 2 === 0) throw new Error(`release ${number}`);
      });
    }
    await expect(scope.dispose()).rejects.toThrow("release 4");
    expect(released).toEqual([4, 3, 2, 1]);
  });

  it("keeps an error that is no value at all", async () => {
    const scope = new Scope();
    scope.add(() => Promise.reject(undefined));
    await expect(scope.dispose()).rejects.toBeUndefined();
  });

  it("releases at once what is added after its disposal", async () => {
    const scope = new Scope();
    await scope.dispose();
    const released: string[] = [];
    scope.add(() => void released.push("added"));
    expect(released).toEqual(["added"]);
    scope.own({ [Symbol.dispose]: () => void released.push("owned") });
    expect(released).toEqual(["added", "owned"]);
  });

  it("releases at once what a release adds", async () => {
    const scope = new Scope();
    const order: string[] = [];
    scope.add(() => void order.push("first"));
    scope.add(() => {
      scope.add(() => void order.push("late"));
      order.push("last");
    });
    await scope.dispose();
    expect(order).toEqual(["late", "last", "first"]);
  });

  it("keeps the failure of a late release to itself, thrown or rejected", async () => {
    const scope = new Scope();
    await scope.dispose();
    expect(() => {
      scope.add(() => {
        throw new Error("thrown");
      });
    }).not.toThrow();
    scope.add(() => Promise.reject(new Error("rejected")));
  });

  it("releases once, and answers every disposal alike", async () => {
    const scope = new Scope();
    let releases = 0;
    scope.add(() => {
      releases += 1;
      throw new Error("once");
    });
    const both = [scope.dispose(), scope.dispose()];
    for (const disposal of both) await expect(disposal).rejects.toThrow("once");
    await expect(scope.dispose()).rejects.toThrow("once");
    expect(releases).toBe(1);
  });

  it("is disposed from the start of the disposal on, also for its first release", async () => {
    const scope = new Scope();
    const seen: unknown[] = [];
    let again: Promise<void> | undefined;
    scope.add(() => void seen.push("other"));
    scope.add(() => {
      seen.push(scope.disposed);
      again = scope.dispose();
      seen.push("asked again");
    });
    expect(scope.disposed).toBe(false);
    const disposal = scope.dispose();
    await disposal;
    expect(seen).toEqual([true, "asked again", "other"]);
    expect(again).toBe(disposal);
  });
});
