/** Berth's version, as the API and the console show it. */
export const version = "0.1.0";
