import { createSandbox, type Failure, type RouteInput, randomKey, type Template } from "@berth/protocol";
import { type FormEvent, useMemo, useState } from "react";
import { useApi } from "../api/context.tsx";
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
import { suggestName } from "./name-suggestion.ts";
import { useFollow } from "./sandbox-actions.tsx";
import { bodyOf, plainWish } from "./wish.ts";

/** Asks for a name, and whoever likes for more; makes the sandbox and goes to its page. */
export function NewSandboxDialog({ onClose }: { onClose: () => void }) {
  const taken = new Set(useSandboxes().map((sandbox) => sandbox.name));
  const [suggestion] = useState(() => suggestName(taken));
  const [name, setName] = useState("");
  const [wish, setWish] = useState(plainWish);
  const [open, setOpen] = useState(false);
  const [seen, setSeen] = useState(false);
  // Once there, they are part of the form, folded away or not.
  if (open && !seen) setSeen(true);
  const { template } = useTemplate();
  const unmakeable = whyUnmakeable(template);
  const chosenName = name || suggestion;
  const create = useCreate({ name: chosenName, ...bodyOf(wish) }, onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrongSandboxName(chosenName, taken) === undefined && !unmakeable) void create.run();
  };
  return (
    <Dialog title="New sandbox" onClose={onClose}>
      {/* What is wrong within the fold has to be seen. */}
      <form className="form" onSubmit={submit} onInvalidCapture={() => setOpen(true)}>
        <NameField
          value={name}
          suggestion={suggestion}
          maxLength={63}
          rule="Lower-case letters, digits and hyphens."
          wrong={wrongSandboxName(chosenName, taken)}
          onName={(typed) => setName(typed.toLowerCase())}
        />
        <details className="fold" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>Advanced: size, place, network, sleep</summary>
          {seen && <AdvancedFields wish={wish} onWish={(changed) => setWish({ ...wish, ...changed })} />}
        </details>
        {create.failure && <FailureNote failure={create.failure} />}
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
