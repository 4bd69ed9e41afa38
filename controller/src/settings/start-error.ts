/**
 * Something outside of Berth keeps the controller from starting: a wrong setting, a port in use, a database that is
 * down. The message is one sentence for the person at the terminal that says what is wrong and what to do; `main.ts`
 * prints it alone and exits with 1. It never holds a secret.
 */
export class StartError extends Error {
  override readonly name = "StartError";
}
