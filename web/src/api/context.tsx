import type { Client } from "@berth/protocol";
import { createContext, useContext } from "react";

const ApiContext = createContext<Client | undefined>(undefined);
/** Gives the components below it the controller's API. */
export const ApiProvider = ApiContext.Provider;

/** The controller's API. */
export function useApi(): Client {
  const api = useContext(ApiContext);
  if (!api) throw new Error("no ApiProvider above");
  return api;
}
