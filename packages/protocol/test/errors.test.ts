import { describe, expect, it } from "vitest";
import { BerthError, type ErrorCode, errorRegistry } from "../src/index.ts";

describe("the registry of errors", () => {
  it.each(Object.entries(errorRegistry))("%s has an error status and a title", (code, { status, title }) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(new BerthError(code as ErrorCode, "x").status).toBe(status);
  });

  it("has the codes that the outside contract names", () => {
    const promised: ErrorCode[] = [
      "unauthenticated",
      "forbidden",
      "not_found",
      "invalid_request",
      "name_taken",
      "sandbox_not_ready",
      "limit_exceeded",
      "conflict",
    ];
    expect(promised.map((code) => errorRegistry[code].status)).toEqual([401, 403, 404, 400, 409, 409, 429, 409]);
  });
});

describe("an expected error", () => {
  it("carries its code, detail, hint, fields and cause", () => {
    const cause = new Error("below");
    const error = new BerthError("invalid_request", "What happened.", { hint: "Do this.", fields: { a: "no" }, cause });
    expect(error).toMatchObject({ name: "BerthError", code: "invalid_request", hint: "Do this.", fields: { a: "no" } });
    expect([error.message, error.cause, error.status]).toEqual(["What happened.", cause, 400]);
  });

  it("has no cause unless it is given one", () => {
    expect("cause" in new BerthError("conflict", "x")).toBe(false);
  });
});
