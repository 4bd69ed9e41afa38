import { createSandbox, type Failure, type RouteInput, randomKey, type Template } from "@berth/protocol";
import { type FormEvent, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { useApi } from "../api/context.tsx";
import type { ShownFailure } from "../api/describe-error.ts";
import { useCall } from "../api/use-call.ts";
import { Link } from "../app/link.tsx";
import { navigate } from "../app/navigation.ts";
import { sandboxPath, templatePath } from "../app/route.ts";
import { wrongSandboxName } from "../snapshots/names.ts";
import { useTemplate } from "../template/use-template.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { NameField } from "../ui/name-field.tsx";
import { AdvancedFields } from "./advanced-fields.tsx";
import { useFleet, useSandboxes } from "./context.tsx";
import { nameLike, suggestName } from "./name-suggestion.ts";
import { useFollow } from "./sandbox-actions.tsx";
import { fieldOfRefusal, nameOfSource, type SourceFaults, wrongSource } from "./source.ts";
import { SourceFields } from "./source-fields.tsx";
import { bodyOf, plainWish, type Wish } from "./wish.ts";

/** Asks for a name and a workspace, and whoever likes for more; makes the sandbox and goes to its page. */
export function NewSandboxDialog({ onClose }: { onClose: () => void }) {
  const taken = new Set(useSandboxes().map((sandbox) => sandbox.name));
  const [random] = useState(() => suggestName(taken));
  const [name, setName] = useState("");
  const [wish, setWish] = useState(plainWish);
  const [open, setOpen] = useState(false);
  const [seen, setSeen] = useState(false);
  // Once there, they are part of the form, folded away or not.
  if (open && !seen) setSeen(true);
  const { template } = useTemplate();
  const unmakeable = whyUnmakeable(template);
  const suggestion = nameLike(nameOfSource(wish.source) ?? "", taken) ?? random;
  const chosenName = name || suggestion;
  const create = useCreate({ name: chosenName, ...bodyOf(wish) }, onClose);
  const form = useRef<HTMLFormElement>(null);
  const refused = refusalOf(create.failure, wish);
  useFocusOnRefusal(form, create.failure);
  const wrongName = wrongSandboxName(chosenName, taken);
  const wrongs = wrongSource(wish.source);
  const change = (changed: Partial<Wish>) => {
    create.clear();
    setWish({ ...wish, ...changed });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const isRight = wrongName === undefined && Object.keys(wrongs).length === 0;
    if (isRight && !unmakeable) void create.run();
  };
  return (
    <Dialog title="New sandbox" onClose={onClose}>
      {/* What is wrong within the fold has to be seen. */}
      <form ref={form} className="form" onSubmit={submit} onInvalidCapture={() => setOpen(true)}>
        <NameField
          value={name}
          suggestion={suggestion}
          maxLength={63}
          rule="Lower-case letters, digits and hyphens."
          wrong={wrongName ?? refused.name}
          onName={(typed) => {
            create.clear();
            setName(typed.toLowerCase());
          }}
        />
        <SourceFields
          source={wish.source}
          faults={{ ...refused.source, ...wrongs }}
          onSource={(changed) => change({ source: { ...wish.source, ...changed } })}
        />
        <details className="fold" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>Advanced: size, place, network, sleep</summary>
          {seen && <AdvancedFields wish={wish} onWish={change} />}
        </details>
        {refused.other && <FailureNote failure={refused.other} />}
        {unmakeable && (
          <FailureNote failure={unmakeable}>
            <Link href={templatePath} className="button button-plain">
              {template?.build == null ? "Build the template" : "See how it goes"}
            </Link>
          </FailureNote>
        )}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={create.pending} disabled={unmakeable !== undefined}>
            Create {chosenName}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface Refusal {
  readonly name?: string;
  readonly source?: SourceFaults;
  /** What is about no field that is shown. */
  readonly other?: Failure;
}

/** Where the controller's refusal is to be shown: at the field that it is about, if it is about one. */
function refusalOf(failure: ShownFailure | null, { source }: Wish): Refusal {
  if (failure === null) return {};
  const words = failure.hint === undefined ? failure.message : `${failure.message} ${failure.hint}`;
  if (failure.code === "name_taken") return { name: words };
  const field = fieldOfRefusal(failure, source);
  return field === undefined ? { other: failure } : { source: { [field]: words } };
}

/** Who was refused for a field goes on in it. */
function useFocusOnRefusal(form: RefObject<HTMLFormElement | null>, failure: Failure | null) {
  useEffect(() => {
    if (failure !== null) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [form, failure]);
}

/** The call that makes the sandbox. Pressed again after a lost answer, it makes no second one. */
function useCreate(body: RouteInput<typeof createSandbox>["body"], onClose: () => void) {
  const api = useApi();
  const fleet = useFleet();
  const follow = useFollow();
  const text = JSON.stringify(body);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another body is another request
  const idempotencyKey = useMemo(() => `create-${randomKey()}`, [text]);
  return useCall(async () => {
    const { sandbox, operation } = await api.call(createSandbox, { body }, { idempotencyKey });
    fleet.put("sandboxes", sandbox);
    follow(operation);
    onClose();
    navigate(sandboxPath(sandbox.name));
  });
}

/** Why no sandbox can be made now; undefined: one can, as far as is known. */
function whyUnmakeable(template: Template | undefined): Failure | undefined {
  if (!template || template.state === "ready") return undefined;
  const message = template.error?.message ?? "There is no template.";
  return {
    code: "template_unusable",
    message: `${message} A sandbox is a clone of it.`,
    hint: template.build === null ? "Build it first: Berth does that on your Proxmox, once." : "It is being built.",
  };
}
