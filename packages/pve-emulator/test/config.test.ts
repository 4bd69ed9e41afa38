import { describe, expect, it } from "vitest";
import { type Container, digestOf, futureValues, newContainer, typedValues } from "../src/containers/container.ts";
import { applyEdit, applyPending, readEdit } from "../src/containers/edit-config.ts";
import { formatSize, parseSize } from "../src/containers/root-disk.ts";

const containerWith = (values: Record<string, string>): Container =>
  newContainer(201, { memory: "512", ...values }, []);
const edit = (container: Container, given: Record<string, string | number | boolean>, running = false) =>
  applyEdit(container, readEdit(given), running);

describe("a configuration's digest", () => {
  it("is one of the contents, whatever their order", () => {
    expect(digestOf(containerWith({ cores: "1", swap: "0" }))).toBe(digestOf(containerWith({ swap: "0", cores: "1" })));
  });

  it("guards against lost updates", () => {
    const container = containerWith({});
    const digest = digestOf(container);
    edit(container, { cores: 2, digest });
    expect(() => edit(container, { cores: 3, digest })).toThrow(/^detected modified configuration/);
    expect(container.values.cores).toBe("2");
  });
});

describe("an edit of a configuration", () => {
  it("stores numbers, flags, tags and texts as PVE does", () => {
    const container = containerWith({});
    edit(container, { cores: 2, onboot: true, tags: "B,a b", description: "text\n" });
    expect(typedValues(container.values)).toMatchObject({ cores: 2, onboot: 1, tags: "a;b", description: "text\n" });
    edit(container, { tags: "" });
    expect(container.values.tags).toBe(" ");
  });

  it("waits for the next start where a running container cannot take it up", () => {
    const container = containerWith({ features: "nesting=1", nameserver: "9.9.9.9" });
    edit(container, { cores: 2, features: "nesting=0" }, true);
    edit(container, { delete: "nameserver" }, true);
    expect(container.values).toMatchObject({ cores: "2", features: "nesting=1", nameserver: "9.9.9.9" });
    expect(futureValues(container)).toMatchObject({ features: "nesting=0" });
    expect(futureValues(container)).not.toHaveProperty("nameserver");
    expect(applyPending(container)).toBe(true);
    expect(container.values.features).toBe("nesting=0");
    expect(container.values).not.toHaveProperty("nameserver");
  });

  it("takes a pending value back by revert, not by delete", () => {
    const container = containerWith({});
    edit(container, { nameserver: "1.1.1.1" }, true);
    edit(container, { delete: "nameserver" }, true);
    expect(container.pending).toEqual({ nameserver: "1.1.1.1" });
    edit(container, { revert: "nameserver" }, true);
    expect(container.pending).toEqual({});
  });

  it("changes nothing when a part of it is refused", () => {
    const container = containerWith({ unprivileged: "1" });
    expect(() => edit(container, { cores: 4, unprivileged: false })).toThrow(/read-only option/);
    expect(() => edit(container, { delete: "memory" })).toThrow(/unable to delete required option 'memory'/);
    expect(() => edit(container, {})).toThrow(/^no options specified$/);
    expect(container.values).toEqual({ memory: "512", unprivileged: "1" });
    container.values.lock = "disk";
    expect(() => edit(container, { cores: 4 })).toThrow(/^CT is locked \(disk\)$/);
  });
});

describe("a disk's size", () => {
  it("reads and writes PVE's units", () => {
    expect(parseSize("2G")).toBe(2 * 1024 ** 3);
    expect(parseSize("big")).toBeUndefined();
    for (const text of ["512M", "3G", "1T", "100"]) expect(formatSize(parseSize(text) ?? 0)).toBe(text);
  });
});
