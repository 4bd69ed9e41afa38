import { useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { OperationFeed, type OperationView } from "./operation-feed.ts";

const nothing: OperationView = { operation: undefined, logs: new Map(), missing: false };

/** An operation with its logs, followed while the component is there. */
export function useOperation(id: string | undefined): OperationView {
  const api = useApi();
  const [view, setView] = useState({ id, value: nothing });
  useEffect(() => {
    if (id === undefined) return;
    const feed = new OperationFeed(api, id);
    const take = () => setView({ id, value: feed.state.get() });
    const stop = feed.state.subscribe(take);
    return () => {
      stop();
      feed.close();
    };
  }, [api, id]);
  return view.id === id ? view.value : nothing;
}
