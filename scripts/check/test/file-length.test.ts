import { expect, test } from "vitest";
import { tooLongFiles } from "../file-length.ts";

test("tells which files are longer than 400 lines", () => {
  const files = [
    { path: "a.ts", text: "x\n".repeat(400) },
    { path: "b.ts", text: "x\n".repeat(401) },
  ];
  expect(tooLongFiles(files)).toEqual(["b.ts has 401 lines; 400 is the most"]);
});
