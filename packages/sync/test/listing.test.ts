import { describe, expect, it } from "vitest";
import { failureOf } from "../src/failure.ts";
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
      expect(seen.map((line) => parseProgress(line))).toEqual([
        { bytes: 12_345, percent: 42, bytesPerSecond: 7997, secondsLeft: 2, files: 6 },
      ]);
      expect(reader.digest.count).toBe(3);
    }
  });

  it("tells what is left, at the end of a file too, where rsync tells what it took", () => {
    const left = (line: string) => parseProgress(line, 3);
    expect(left("      1,000,000  10%    1.00MB/s    0:00:09  ")).toMatchObject({ secondsLeft: 9, files: 3 });
    expect(left("      1,048,576  10%    1.00MB/s    0:00:01 (xfr#4, to-chk=9/13)")).toMatchObject({
      secondsLeft: 9,
      files: 4,
    });
    expect(left("     10,000,000 100%    1.00MB/s    0:00:10 (xfr#5, to-chk=0/13)")).toMatchObject({ secondsLeft: 0 });
    expect(left("              0   0%    0.00kB/s    0:00:00  ")).toMatchObject({ secondsLeft: null });
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

  it("names what is not taken over, and why", () => {
    const text =
      'ignoring unsafe symlink "n\\#012l" -> "/etc"\nignoring unsafe symlink "a" -> "b" -> "../c"\nskipping non-regular file "p"\n';
    expect(read(text).reader.skipped).toEqual([
      { path: "n\nl", why: "a link that leads out of the folder" },
      { path: 'a" -> "b', why: "a link that leads out of the folder" },
      { path: "p", why: "a device, socket or pipe" },
    ]);
  });

  it("says that something was left alone, of the shortest name too, and not of a file that is called so", () => {
    expect(read("a exists\n").reader.existed).toBe(true);
    expect(read(">f+++++++++ 1 it exists\n").reader.existed).toBe(false);
  });
});

describe("why rsync has ended", () => {
  it("is what ssh says, or else rsync, and not where in rsync's source that is", () => {
    const end = "rsync error: unexplained error (code 255) at io.c(285) [sender=3.5.0]\n";
    const closed = "rsync: connection unexpectedly closed (0 bytes received so far) [sender]\n";
    const refused = "ssh: connect to host 127.0.0.1 port 22: Connection refused\r\n";
    const said = (words: string) => failureOf("rsync", 255, words);
    expect(said(closed + end)).toMatchObject({
      code: "unreachable",
      message: "The connection was cut: rsync: connection unexpectedly closed.",
    });
    expect(said(refused + closed + end).message).toBe(
      "The connection was cut: ssh: connect to host 127.0.0.1 port 22: Connection refused.",
    );
    expect(said("").message).toBe("The connection was cut: rsync ended with 255.");
  });
});
