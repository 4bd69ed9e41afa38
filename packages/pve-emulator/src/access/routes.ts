import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { text } from "../schema/parameters.ts";
import { callerOf } from "./caller.ts";
import type { Rights } from "./rights.ts";
import type { SignIn } from "./sign-in.ts";

export function accessRoutes(signIn: SignIn, rights: Rights): Route[] {
  return [
    defineRoute({
      method: "POST",
      path: "/access/ticket",
      permission: "world",
      parameters: {
        username: { type: "string", maxLength: 64 },
        password: { type: "string" },
        realm: { type: "string", optional: true, maxLength: 32 },
        "new-format": { type: "boolean", optional: true },
        otp: text,
      },
      handle({ params }) {
        const userid = params.realm === undefined ? params.username : `${params.username}@${params.realm}`;
        const login = signIn.login(userid, params.password);
        // Unlike the 401 of a bad ticket, this one has a body.
        if (!login) throw new ApiError(401, "authentication failure");
        return {
          username: userid,
          ticket: login.ticket,
          CSRFPreventionToken: login.csrfToken,
          cap: rights.effective(callerOf(userid)),
        };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/access/permissions",
      permission: "all",
      parameters: { path: text, userid: text },
      handle({ params, caller }) {
        if (params.userid !== undefined && params.userid !== caller.id) {
          rights.require(caller, "/access", "Sys.Audit");
        }
        const [userid = caller.userid, tokenName] = (params.userid ?? caller.id).split("!");
        const subject = callerOf(userid, tokenName);
        if (params.path === undefined) return rights.effective(subject);
        const held = [...rights.privileges(subject, params.path)].map(([name, below]) => [name, below ? 1 : 0]);
        return { [params.path]: Object.fromEntries(held) };
      },
    }),
  ];
}
