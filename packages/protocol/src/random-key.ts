/** 96 random bits as hex digits. `crypto.randomUUID` is missing where the console is served over plain HTTP. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
