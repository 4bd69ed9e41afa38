import Type from "typebox";

/** An absolute path of a folder on the controller's host, below one of the roots that its settings allow. */
export const hostFolderSchema = Type.String({ minLength: 2, maxLength: 4096, pattern: "^/[^\\u0000]*$" });
