/** For the default branch of an exhaustive switch: the compiler holds that it is never reached. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
