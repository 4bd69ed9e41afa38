import { describe, expect, it } from "vitest";
import { readTemplateNote, templateNote } from "../src/index.ts";

const facts = {
  version: "0123456789abcdef",
  builtAt: "2026-11-22T01:02:03.000Z",
  docker: null,
  skipped: [{ name: "lazygit", reason: "https://github.com cannot be reached – today" }],
};

describe("the note of what is in a template", () => {
  it("is found again among other words", () => {
    expect(readTemplateNote(templateNote(facts))).toEqual(facts);
    expect(readTemplateNote(`Berth's template.\n\n${templateNote(facts)}\n`)).toEqual(facts);
  });

  it("is none where it says something else, or nothing", () => {
    const saying = (said: unknown) => `berth-template-contents:${Buffer.from(JSON.stringify(said)).toString("base64")}`;
    for (const text of [
      "",
      "somebody's container",
      "berth-template-contents:AAAA",
      saying({ ...facts, version: 1 }),
      saying({ ...facts, builtAt: "yesterday" }),
      `x${templateNote(facts)}`,
    ])
      expect(readTemplateNote(text)).toBeUndefined();
  });
});
