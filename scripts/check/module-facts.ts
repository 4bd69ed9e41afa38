import { parseSync, Visitor } from "oxc-parser";

/** What the checks need to know of one source file. */
export interface ModuleFacts {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  /** Everything that it imports or re-exports, types and dynamic imports included, as written. */
  readonly imports: readonly string[];
  /** Whether it reads `process.env` in any spelling. */
  readonly readsEnvironment: boolean;
}

/** Reads a source file's facts; throws when it does not parse. */
export function moduleFacts(path: string, source: string): ModuleFacts {
  const { errors, program } = parseSync(path, source);
  const [error] = errors;
  if (error) throw new Error(`${path}: ${error.message}`);
  const imports = new Set<string>();
  let readsEnvironment = false;
  const add = (node: unknown) => {
    const value = literalValue(node);
    if (value !== undefined) imports.add(value);
  };
  new Visitor({
    ImportDeclaration(node) {
      add(node.source);
      if (!/^(node:)?process$/.test(node.source.value)) return;
      for (const specifier of node.specifiers) {
        if (specifier.type !== "ImportSpecifier" || specifier.imported.type !== "Identifier") continue;
        if (specifier.imported.name === "env") readsEnvironment = true;
      }
    },
    ExportAllDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
    MemberExpression(node) {
      if (node.object.type !== "Identifier" || node.object.name !== "process") return;
      const name = node.property.type === "Identifier" ? node.property.name : literalValue(node.property);
      if (name === "env") readsEnvironment = true;
    },
    VariableDeclarator(node) {
      if (node.init?.type !== "Identifier" || node.init.name !== "process" || node.id.type !== "ObjectPattern") return;
      for (const property of node.id.properties) {
        if (property.type === "Property" && property.key.type === "Identifier" && property.key.name === "env") {
          readsEnvironment = true;
        }
      }
    },
  }).visit(program);
  return { path, imports: [...imports], readsEnvironment };
}

function literalValue(node: unknown): string | undefined {
  if (typeof node !== "object" || node === null || !("type" in node) || node.type !== "Literal") return undefined;
  return "value" in node && typeof node.value === "string" ? node.value : undefined;
}
