import { type Client, listFiles, type Sandbox, statFiles } from "@berth/protocol";
import { useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { Link } from "../app/link.tsx";
import { changesPath } from "../app/route.ts";
import { Button } from "../ui/button.tsx";

export interface NoRepositoryProps {
  sandbox: Sandbox;
  path: string;
  onLook: () => void;
}

/** Says that there is no git repository, and names those in folders of the workspace. */
export function NoRepository({ sandbox, path, onLook }: NoRepositoryProps) {
  const api = useApi();
  const [inner, setInner] = useState<readonly string[]>([]);
  useEffect(() => {
    // They are an offer: without them the page says the same.
    repositoriesIn(api, sandbox.id).then(setInner, () => {});
  }, [api, sandbox.id]);
  const others = inner.filter((folder) => folder !== path);
  return (
    <div className="workspace">
      <section className="empty">
        <h2>{path === "" ? "The workspace is not a git repository" : `${path} is in no git repository`}</h2>
        {others.length > 0 ? (
          <>
            <p>There are repositories in folders of it:</p>
            <ul>
              {others.map((folder) => (
                <li key={folder}>
                  <Link href={changesPath(sandbox.name, folder)}>{folder}</Link>
                </li>
              ))}
            </ul>
          </>
        ) : (
          <p>
            Make one with <code>git init</code> or <code>git clone</code> in a terminal, and its changes are shown here.
          </p>
        )}
        <Button onClick={onLook}>Look again</Button>
      </section>
    </div>
  );
}

/** The folders of the workspace's first level that are repositories of their own. */
async function repositoriesIn(api: Client, sandboxId: string): Promise<readonly string[]> {
  const params = { id: sandboxId };
  const { items } = await api.call(listFiles, { params, query: { limit: 1000 } });
  const folders = items.filter(({ type, pathBytes }) => type === "folder" && pathBytes === undefined);
  if (folders.length === 0) return [];
  const paths = folders.map(({ path }) => `${path}/.git`);
  const facts = await api.call(statFiles, { params, body: { paths } });
  return folders.filter((_, index) => facts.items[index]).map(({ path }) => path);
}
