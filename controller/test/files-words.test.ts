import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedOf, hasVersion, rangeOf } from "../src/files/conditions.ts";
import { mediaTypeOf } from "../src/files/media-type.ts";
import { entryPathOf, pathBytesOf, shownPath } from "../src/files/path.ts";

describe("a path from outside", () => {
  it("is refused unless it is plain and below the workspace", () => {
    const bad = [
      "/",
      "/etc",
      "..",
      "a/..",
      "../a",
      "a/../b",
      ".",
      "./a",
      "a/.",
      "a//b",
      "a/",
      "a\0b",
      "x".repeat(256),
      `${"a/".repeat(2100)}a`,
      "\ud800",
    ];
    for (const path of bad) expect(() => pathBytesOf({ path }), JSON.stringify(path)).toThrow();
    for (const pathBytes of bad.slice(0, -1).map((path) => Buffer.from(path).toString("base64url")))
      expect(() => pathBytesOf({ pathBytes }), pathBytes).toThrow();
    expect(() => pathBytesOf({ path: "a", pathBytes: "YQ" })).toThrow();
    expect(() => entryPathOf({})).toThrow();
    for (const path of ["", "a", "...", "..a", "a/...", " ", "-rf", "a\nb", "%2e%2e", "é"])
      expect(pathBytesOf({ path }).toString()).toBe(path);
  });

  it("is shown so that it can be named again, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (letters) => {
        const bytes = Buffer.from(letters.map((byte) => (byte === 0 || byte === 0x2f || byte === 0x2e ? 0x61 : byte)));
        const { path, pathBytes } = shownPath(bytes);
        expect(pathBytesOf(pathBytes === undefined ? { path } : { pathBytes }).equals(bytes)).toBe(true);
      }),
    );
  });
});

describe("what a request wants of a file", () => {
  const version = "0123456789abcdef".repeat(2);

  it("is a version, or that there is none", () => {
    expect(expectedOf({}, undefined)).toBeUndefined();
    expect(expectedOf({}, version)).toEqual({ version });
    expect(expectedOf({ "if-match": `"${version}"` }, undefined)).toEqual({ version });
    expect(expectedOf({ "if-none-match": "*" }, undefined)).toEqual({ absent: true });
    for (const match of [version, '"x"', "*", `W/"${version}"`])
      expect(() => expectedOf({ "if-match": match }, undefined), match).toThrow();
    expect(() => expectedOf({ "if-none-match": `"${version}"` }, undefined)).toThrow();
    expect(() => expectedOf({ "if-none-match": "*" }, version)).toThrow();
    expect(hasVersion({ "if-none-match": `"x", "${version}"` }, version)).toBe(true);
    expect(hasVersion({}, version)).toBe(false);
  });

  it("is a part of it, or the whole", () => {
    expect(rangeOf("bytes=0-0")).toEqual({ from: 0, to: 1 });
    expect(rangeOf("bytes=5-")).toEqual({ from: 5 });
    expect(rangeOf("bytes=-7")).toEqual({ last: 7 });
    for (const whole of [undefined, "", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=1e3-"])
      expect(rangeOf(whole), whole).toBeUndefined();
  });
});

describe("the type of a file", () => {
  it("is told by how it begins, and is never one that a browser would run", () => {
    const of = (text: string, isWhole = true) => mediaTypeOf(Buffer.from(text, "latin1"), isWhole);
    expect(of("\x89PNG\r\n\x1a\nrest")).toBe("image/png");
    expect(of("\xff\xd8\xff\xe0")).toBe("image/jpeg");
    expect(of("RIFFabcdWEBPVP8")).toBe("image/webp");
    for (const text of ["", "text", "<html><script>", '<svg xmlns="http://www.w3.org/2000/svg">', "\xc3\xa9"])
      expect(of(text), text).toBe("text/plain; charset=utf-8");
    expect(of("cut letter \xc3", false)).toBe("text/plain; charset=utf-8");
    for (const bytes of ["a\0b", "\xff\xfe", "cut letter \xc3", "%PDF-1.4\xff"])
      expect(of(bytes)).toBe("application/octet-stream");
  });
});
