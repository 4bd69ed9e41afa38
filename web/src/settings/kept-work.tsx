import {
  deleteKeptWork,
  downloadKeptWork,
  everyPage,
  type KeptWork as Kept,
  type KeptPart,
  listKeptWork,
  routeUrl,
} from "@berth/protocol";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { bytesText } from "../files/bytes.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { useList } from "./use-list.ts";

const partWords: Record<KeptPart, string> = {
  bundle: "commits",
  bundles: "commits in folders",
  patch: "changes",
  untracked: "new files",
};

/** What was unsaved in sandboxes that were deleted: downloaded, or deleted before its time. */
export function KeptWork() {
  const api = useApi();
  const list = useList(() => everyPage((query) => api.call(listKeptWork, { query })));
  const remove = useCall(async (kept: Kept) => {
    await api.call(deleteKeptWork, { params: { id: kept.id } });
    await list.reload();
  });
  const failure = remove.failure ?? list.failure;
  return (
    <section className="settings-part" aria-labelledby="kept-title">
      <h2 id="kept-title">Kept work</h2>
      <p>
        What was nowhere else when its sandbox was deleted: commits for <code>git fetch</code>, changes for{" "}
        <code>git apply</code>, and a tar of files that git did not know.
      </p>
      {failure && <FailureNote failure={failure} />}
      {list.items === undefined && list.failure === null && <div className="skeleton row-skeleton" aria-busy="true" />}
      {list.items?.length === 0 && <p className="quiet">Nothing is kept.</p>}
      {list.items && list.items.length > 0 && (
        <ul className="records">
          {list.items.map((kept) => (
            <li key={kept.id} className="record">
              <span className="record-name">{kept.sandboxName}</span>
              <span className="record-facts">
                {kept.missing !== null && `${kept.missing} `}deleted {dayOf(kept.createdAt)}, kept until{" "}
                {dayOf(kept.expiresAt)}
              </span>
              {kept.parts.map(({ part, bytes }) => (
                <a
                  key={part}
                  className="button"
                  href={routeUrl(downloadKeptWork, { params: { id: kept.id, part } })}
                  download
                  title={bytesText(bytes)}
                >
                  {partWords[part]}
                </a>
              ))}
              <Button onClick={() => void remove.run(kept)} aria-label={`Delete what is kept of ${kept.sandboxName}`}>
                Delete
              </Button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function dayOf(at: string): string {
  return new Date(at).toLocaleDateString(undefined, { dateStyle: "medium" });
}
