import Type, { type Static } from "typebox";
import { Compile } from "typebox/compile";

/** What the stub reads of a request's body; the real one has much more. */
const bodySchema = Type.Object({
  model: Type.String(),
  stream: Type.Optional(Type.Boolean()),
  messages: Type.Array(
    Type.Object({
      role: Type.String(),
      content: Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String() }))]),
    }),
  ),
  tools: Type.Optional(Type.Array(Type.Object({ name: Type.Optional(Type.String()) }))),
});
type Body = Static<typeof bodySchema>;
const body = Compile(bodySchema);
const textBlock = Compile(Type.Object({ type: Type.Literal("text"), text: Type.String() }));
const toolResultBlock = Compile(
  Type.Object({
    type: Type.Literal("tool_result"),
    tool_use_id: Type.String(),
    is_error: Type.Optional(Type.Boolean()),
    content: Type.Optional(Type.Unknown()),
  }),
);

/** The result of a tool that the client ran. */
export interface ToolResult {
  readonly toolUseId: string;
  readonly text: string;
  readonly isError: boolean;
}

/** A request to `/v1/messages`, reduced to what an answer depends on. */
export interface MessagesRequest {
  readonly model: string;
  readonly stream: boolean;
  /** What the person wrote last: the last user message, without the reminders that the CLI adds to it. */
  readonly prompt: string;
  /** Results in the last user message. Empty unless the client has just run a tool. */
  readonly toolResults: readonly ToolResult[];
  /** Names of the tools on offer; the CLI's side requests, such as the one for a title, offer none. */
  readonly tools: readonly string[];
  /** How many messages the conversation has. */
  readonly messageCount: number;
  /** `x-claude-code-session-id`. */
  readonly sessionId: string | undefined;
  /** The body as it came. */
  readonly body: unknown;
}

/** Reads a request's body; undefined if it is not one that the Messages API would take. */
export function readMessagesRequest(value: unknown, sessionId: string | undefined): MessagesRequest | undefined {
  if (!body.Check(value)) return undefined;
  const last = value.messages.findLast((message) => message.role === "user");
  return {
    model: value.model,
    stream: value.stream ?? false,
    prompt: last ? promptOf(last.content) : "",
    toolResults: last && typeof last.content !== "string" ? last.content.flatMap(toolResultOf) : [],
    tools: (value.tools ?? []).flatMap((tool) => tool.name ?? []),
    messageCount: value.messages.length,
    sessionId,
    body: value,
  };
}

function promptOf(content: Body["messages"][number]["content"]): string {
  return textOf(content)
    .replace(/<system-reminder>[\s\S]*?<\/system-reminder>/g, "")
    .trim();
}

/** The text blocks of a message or of a tool's result. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.flatMap((block) => (textBlock.Check(block) ? block.text : [])).join("\n");
}

function toolResultOf(block: unknown): ToolResult[] {
  if (!toolResultBlock.Check(block)) return [];
  return [{ toolUseId: block.tool_use_id, text: textOf(block.content), isError: block.is_error ?? false }];
}
