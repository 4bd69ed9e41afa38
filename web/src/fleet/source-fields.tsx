import { listProjects, type Project } from "@berth/protocol";
import { useApi } from "../api/context.tsx";
import { useList } from "../settings/use-list.ts";
import { ChoiceCards } from "../ui/choice-cards.tsx";
import { Field, type FieldProps } from "../ui/field.tsx";
import type { Source, SourceFaults } from "./source.ts";

const choices = [
  { value: "empty", label: "Empty", text: "Nothing in it yet" },
  { value: "git", label: "Git repository", text: "On a branch of its own" },
  { value: "folder", label: "Folder", text: "Of the controller’s host" },
] as const;
const projectChoice = { value: "project", label: "Project", text: "A repository used before" } as const;

export interface SourceFieldsProps {
  source: Source;
  faults: SourceFaults;
  onSource: (changed: Partial<Source>) => void;
}

/** The choice of what is in a workspace at first; projects are on offer where there are some. */
export function SourceFields({ source, faults, onSource }: SourceFieldsProps) {
  const api = useApi();
  const { items: projects = [], failure } = useList(async () => (await api.call(listProjects, {})).items);
  const choose = (kind: Source["kind"]) =>
    onSource({ kind, ...(kind === "project" && source.project === "" ? { project: projects[0]?.url ?? "" } : {}) });
  return (
    <ChoiceCards
      legend="Workspace"
      name="source"
      value={source.kind}
      choices={projects.length === 0 ? choices : [...choices, projectChoice]}
      onChoose={choose}
    >
      {source.kind === "git" && <RepositoryFields source={source} faults={faults} onSource={onSource} />}
      {source.kind === "folder" && (
        <PathField
          label="Path"
          required
          maxLength={4096}
          placeholder="/srv/code/app"
          value={source.path}
          wrong={faults.path}
          note="Below a folder that BERTH_WORKSPACE_ROOTS names. Its files are copied once; berth sync keeps both in accord."
          onText={(path) => onSource({ path })}
        />
      )}
      {source.kind === "project" && (
        <ProjectFields projects={projects} source={source} faults={faults} onSource={onSource} />
      )}
      {failure && <p className="field-note field-wrong">Your projects cannot be listed: {failure.message}</p>}
    </ChoiceCards>
  );
}

function RepositoryFields({ source, faults, onSource }: SourceFieldsProps) {
  return (
    <div className="source-repository">
      <PathField
        label="Repository"
        required
        inputMode="url"
        maxLength={2048}
        placeholder="https://git.lan/me/app.git"
        value={source.url}
        wrong={faults.url}
        note="https://…, ssh://…, user@host:path, or a path on the controller’s host."
        onText={(url) => onSource({ url })}
      />
      <BranchField source={source} faults={faults} onSource={onSource} />
    </div>
  );
}

function ProjectFields({ projects, source, faults, onSource }: SourceFieldsProps & { projects: readonly Project[] }) {
  const chosen = projects.find(({ url }) => url === source.project);
  return (
    <div className="source-repository">
      <div className="field">
        <label className="field">
          <span>Project</span>
          <select
            value={source.project}
            aria-invalid={faults.project !== undefined || undefined}
            onChange={(event) => onSource({ project: event.target.value })}
          >
            {projects.map(({ id, url }) => (
              <option key={id} value={url}>
                {url}
              </option>
            ))}
          </select>
        </label>
        {faults.project !== undefined && <p className="field-note field-wrong">{faults.project}</p>}
      </div>
      <BranchField source={source} faults={faults} onSource={onSource} placeholder={chosen?.defaultBranch} />
    </div>
  );
}

interface BranchFieldProps extends SourceFieldsProps {
  /** The remote's default branch, where that is known. */
  placeholder?: string | null | undefined;
}

function BranchField({ source, faults, onSource, placeholder }: BranchFieldProps) {
  return (
    <PathField
      label="Branch to begin at"
      maxLength={200}
      placeholder={placeholder ?? "the default"}
      value={source.branch}
      wrong={faults.branch}
      onText={(branch) => onSource({ branch })}
    />
  );
}

/** A field for what is typed as it is: no capital, no correction. */
function PathField({ onText, ...field }: FieldProps & { onText: (text: string) => void }) {
  return (
    <Field
      {...field}
      className="mono-input"
      autoComplete="off"
      autoCapitalize="none"
      autoCorrect="off"
      spellCheck={false}
      onChange={(event) => onText(event.target.value.trim())}
    />
  );
}
