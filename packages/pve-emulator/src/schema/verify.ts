import { ApiError } from "../http/api-error.ts";
import {
  type Parameter,
  type ParameterSet,
  type ParameterValue,
  parameterNamed,
  type RawParameters,
  type Values,
} from "./parameter.ts";

const unknownProperty = "property is not defined in schema and the schema does not allow additional properties";
const missingProperty = "property is missing and it is not optional";

/** Complaints by parameter. */
export type ParameterErrors = Record<string, string>;

/**
 * Verifies a call's parameters in PVE's way: all faults of a call are reported together, one a parameter. Throws the
 * 400 that PVE answers.
 */
export function verifyParameters<S extends ParameterSet>(set: S, raw: RawParameters): Values<S> {
  const { values, errors } = checkParameters(set, raw);
  if (Object.keys(errors).length > 0) throw ApiError.parameters(errors);
  // The loop above gave every key the type that its description names, which the compiler cannot see.
  return values as Values<S>;
}

/** Like `verifyParameters`, but answers the faults; property strings use it too. */
export function checkParameters(
  set: ParameterSet,
  raw: RawParameters,
): { values: Record<string, ParameterValue>; errors: ParameterErrors } {
  const values: Record<string, ParameterValue> = {};
  const errors: ParameterErrors = {};
  for (const [name, given] of Object.entries(raw)) {
    if (given === undefined || given === null) continue;
    const parameter = parameterNamed(set, name);
    if (!parameter) {
      errors[name] = unknownProperty;
      continue;
    }
    const result = checkValue(parameter, given, name);
    if ("complaint" in result) errors[name] = result.complaint;
    else values[name] = result.value;
    if (parameter.requires && raw[parameter.requires] === undefined) {
      errors[parameter.requires] ??= `missing property - '${name}' requires this property`;
    }
  }
  for (const [name, parameter] of Object.entries(set)) {
    if (!parameter.optional && !parameter.instances && (raw[name] === undefined || raw[name] === null)) {
      errors[name] = missingProperty;
    }
  }
  return { values, errors };
}

type Checked = { value: ParameterValue } | { complaint: string };

function checkValue(parameter: Parameter, given: unknown, name: string): Checked {
  if (Array.isArray(given)) return { complaint: `type check ('${parameter.type}') failed - got ARRAY` };
  if (typeof given === "object") return { complaint: `type check ('${parameter.type}') failed - got HASH` };
  // A JSON true is 1 to Perl; a form's "true" is a word like any other.
  const text = given === true ? "1" : given === false ? "0" : String(given);
  switch (parameter.type) {
    case "boolean":
      return /^[01]$/.test(text) ? { value: text === "1" } : wrongType("boolean", text);
    case "integer":
    case "number":
      return checkNumber(parameter, text);
    case "string":
      return checkString(parameter, text, name);
  }
}

function checkNumber(parameter: Parameter & { type: "integer" | "number" }, text: string): Checked {
  const pattern = parameter.type === "integer" ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
  if (!pattern.test(text)) return wrongType(parameter.type, text);
  const value = Number(text);
  const { minimum, maximum } = parameter;
  if (minimum !== undefined && value < minimum) return { complaint: `value must have a minimum value of ${minimum}` };
  if (maximum !== undefined && value > maximum) return { complaint: `value must have a maximum value of ${maximum}` };
  return { value };
}

function checkString(parameter: Parameter & { type: "string" }, text: string, name: string): Checked {
  const { minLength, maxLength, pattern, format } = parameter;
  if (maxLength !== undefined && text.length > maxLength) {
    return { complaint: `value may only be ${maxLength} characters long` };
  }
  if (minLength !== undefined && text.length < minLength) {
    return { complaint: `value must be at least ${minLength} characters long` };
  }
  const complaint = format?.(text, name);
  if (complaint !== undefined) return { complaint: `invalid format - ${complaint}` };
  if (pattern && !new RegExp(`^(?:${pattern.source})$`, pattern.flags).test(text)) {
    return { complaint: "value does not match the regex pattern" };
  }
  if (parameter.enum && !parameter.enum.includes(text)) {
    return {
      complaint: `value '${text}' does not have a value in the enumeration '${parameter.enum.join(", ")}'`,
    };
  }
  return { value: text };
}

function wrongType(type: string, text: string): Checked {
  return { complaint: `type check ('${type}') failed - got '${text}'` };
}
