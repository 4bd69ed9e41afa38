import { describe, expect, it } from "vitest";
import { ListingReader } from "../src/listing.ts";
import { parseProgress } from "../src/progress.ts";

const read = (text: string, pieces = 1) => {
  const seen: string[] = [];
  const reader = new ListingReader((line) => seen.push(line));
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += pieces) reader.push(bytes.subarray(at, at + pieces));
  return { reader, seen };
};

describe("what rsync lists", () => {
  it("is told apart, however it is cut: what differs, what is equal, and how far it has come", () => {
    const text =
      ".d          4096 ./\n>f+++++++++ 12 -x y\n\r     12,345  42%    7.81kB/s    0:00:01 (xfr#6, to-chk=0/9)\r.f          3 a/f\ncd+++++++++ 4096 a/\n";
    for (const pieces of [1, 7, 1000]) {
      const { reader, seen } = read(text, pieces);
      expect(reader.differing.map(({ path, bytes }) => [path, bytes])).toEqual([
        ["-x y", 12],
        ["a", 4096],
      ]);
      expect([...reader.equal()].map(({ path }) => path)).toEqual(["a/f"]);
      expect(seen.map(parseProgress)).toEqual([
        { bytes: 12_345, percent: 42, bytesPerSecond: 7997, secondsLeft: 1, files: 6 },
      ]);
      expect(reader.digest.count).toBe(3);
    }
  });

  it("has names as bytes, whatever rsync cannot show", () => {
    const { reader } = read(">f+++++++++ 1 \\#377\\#012a\\#134#012\\b\n");
    expect(reader.differing.map(({ path }) => path)).toEqual(["\xff\na\\#012\\b"]);
  });

  it("has the same digest for the same names in any order, and another for others", () => {
    const digest = (text: string) => read(text).reader.digest;
    const one = digest(">f+++++++++ 1 a\n.f          1 b\n");
    expect(digest(".f          9 b\n.f          1 a\n")).toEqual(one);
    expect(digest(".f          9 b\n.f          1 c\n")).not.toEqual(one);
  });

  it("says that something was left alone, of the shortest name too, and not of a file that is called so", () => {
    expect(read("a exists\n").reader.existed).toBe(true);
    expect(read(">f+++++++++ 1 it exists\n").reader.existed).toBe(false);
  });
});
