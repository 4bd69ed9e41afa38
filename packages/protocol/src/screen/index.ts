export { mendParser } from "./mend-parser.ts";
