/** Says what is wrong with a value, as PVE words it, or undefined when it is fine. */
export type Format = (value: string, key: string) => string | undefined;

interface Common {
  readonly optional?: true;
  /** Another parameter that must be given with this one. */
  readonly requires?: string;
  /** For a key that ends in `[n]`: how many there may be, counted from 0. */
  readonly instances?: number;
}

/** One parameter of a call, described as PVE's own API schema does. */
export type Parameter =
  | (Common & {
      readonly type: "string";
      /** A regular expression for the whole value. */
      readonly pattern?: RegExp;
      readonly minLength?: number;
      readonly maxLength?: number;
      readonly enum?: readonly string[];
      readonly format?: Format;
    })
  | (Common & { readonly type: "integer" | "number"; readonly minimum?: number; readonly maximum?: number })
  | (Common & { readonly type: "boolean" });

export type ParameterSet = { readonly [name: string]: Parameter };
export type ParameterValue = string | number | boolean;

type ValueOf<P extends Parameter> = P extends { type: "string"; enum: readonly (infer E)[] }
  ? E
  : P extends { type: "string" }
    ? string
    : P extends { type: "boolean" }
      ? boolean
      : number;

type OptionalKeys<S extends ParameterSet> = { [K in keyof S]: S[K] extends { optional: true } ? K : never }[keyof S];

/** The verified values of a parameter set. */
export type Values<S extends ParameterSet> = { readonly [K in Exclude<keyof S, OptionalKeys<S>>]: ValueOf<S[K]> } & {
  readonly [K in OptionalKeys<S>]?: ValueOf<S[K]>;
};

/** A parameter as it came: text of a path, query or form, or any value of a JSON body. */
export type RawParameters = { readonly [name: string]: unknown };

/** The description of a parameter; `net0` is described by `net[n]`. */
export function parameterNamed(set: ParameterSet, name: string): Parameter | undefined {
  if (Object.hasOwn(set, name)) return set[name];
  const numbered = /^(.*?[a-z])(0|[1-9]\d{0,3})$/.exec(name);
  const family = numbered ? `${numbered[1]}[n]` : "";
  const parameter = Object.hasOwn(set, family) ? set[family] : undefined;
  return parameter && Number(numbered?.[2]) < (parameter.instances ?? 0) ? parameter : undefined;
}
