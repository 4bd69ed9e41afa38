import Type from "typebox";

/** The version of the link's protocol. A peer with another one is refused with a reason. */
export const linkVersion = 1;

const id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

/** Messages on the control channel of any link: calls both ways, their answers, and events. */
export const controlMessageSchema = Type.Union([
  Type.Object({ type: Type.Literal("request"), id, method: Type.String({ maxLength: 64 }), params: Type.Unknown() }),
  Type.Object({ type: Type.Literal("result"), id, result: Type.Unknown() }),
  Type.Object({
    type: Type.Literal("failure"),
    id,
    code: Type.String({ maxLength: 64 }),
    detail: Type.String({ maxLength: 4096 }),
  }),
  Type.Object({ type: Type.Literal("event"), event: Type.String({ maxLength: 64 }), data: Type.Unknown() }),
]);
