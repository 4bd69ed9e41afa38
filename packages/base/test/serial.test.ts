import { describe, expect, it } from "vitest";
import { SerialQueue } from "../src/index.ts";

describe("a serial queue", () => {
  it("runs one task at a time, in the order of their arrival", async () => {
    const queue = new SerialQueue();
    const order: string[] = [];
    let running = 0;
    const task = (name: string, turns: number) => async () => {
      running += 1;
      expect(running).toBe(1);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      order.push(name);
      running -= 1;
      return name;
    };
    const results = await Promise.all([
      queue.run(task("slow", 20)),
      queue.run(task("quick", 0)),
      queue.run(task("last", 3)),
    ]);
    expect(results).toEqual(["slow", "quick", "last"]);
    expect(order).toEqual(["slow", "quick", "last"]);
  });

  it("gives a failure to its caller alone", async () => {
    const queue = new SerialQueue();
    const rejected = queue.run(() => Promise.reject(new Error("rejected")));
    const thrown = queue.run(() => {
      throw new Error("thrown");
    });
    const after = queue.run(async () => "after");
    await expect(rejected).rejects.toThrow("rejected");
    await expect(thrown).rejects.toThrow("thrown");
    await expect(after).resolves.toBe("after");
  });

  it("counts the tasks that wait or run", async () => {
    const queue = new SerialQueue();
    const { promise, resolve } = Promise.withResolvers<void>();
    expect(queue.length).toBe(0);
    const first = queue.run(() => promise);
    const second = queue.run(async () => {
      throw new Error("no");
    });
    expect(queue.length).toBe(2);
    resolve();
    await first;
    expect(queue.length).toBe(1);
    await expect(second).rejects.toThrow("no");
    expect(queue.length).toBe(0);
  });

  it("takes a task from within a task, behind those that wait already", async () => {
    const queue = new SerialQueue();
    const order: string[] = [];
    let inner: Promise<void> | undefined;
    await queue.run(async () => {
      order.push("outer");
      inner = queue.run(async () => void order.push("inner"));
    });
    await inner;
    expect(order).toEqual(["outer", "inner"]);
  });
});
