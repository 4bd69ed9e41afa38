/**
 * Answers that a terminal gives by itself to a program's questions: device attributes, cursor position, status, modes,
 * colours, its name and version. Every viewer's terminal gives them, so only one of them may reach the program.
 */
const replies = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\[[?>=]?[\d;]*c$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\[\??\d+;\d+R$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\[\??[\d;]*n$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\[\??\d+;\d+\$y$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\[[\d;]+t$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\[\?\d+u$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1b\](?:4|1[0-9]);[^\x07\x1b]*(?:\x07|\x1b\\)$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are control sequences
  /^\x1bP[^\x1b]*\x1b\\$/,
];

/** Whether data from xterm.js is such an answer, and nothing that a person typed. */
export function isAutomaticReply(data: string): boolean {
  return data.length > 2 && replies.some((reply) => reply.test(data));
}
