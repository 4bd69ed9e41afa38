import Type from "typebox";

/** A `ProcessIdentity` in a file. */
export const processIdentitySchema = Type.Object({ pid: Type.Integer({ minimum: 1 }), started: Type.String() });
