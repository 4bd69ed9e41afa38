import { parseJson } from "@berth/protocol";
import Type from "typebox";
import { Value } from "typebox/value";

const commandsSchema = Type.Array(Type.Array(Type.String(), { minItems: 1 }));

/** The commands of a relay's terminals, from an argument. */
export function parseCommands(text: string): string[][] {
  const commands = parseJson(text);
  if (!Value.Check(commandsSchema, commands)) throw new Error("the commands of the relay have another form");
  return commands;
}
