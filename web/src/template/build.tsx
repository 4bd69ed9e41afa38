import { buildTemplate, type Operation, type RouteInput, randomKey } from "@berth/protocol";
import { type FormEvent, useMemo, useState } from "react";
import { Value } from "typebox/value";
import { useApi } from "../api/context.tsx";
import { type Call, useCall } from "../api/use-call.ts";
import { useFleet } from "../fleet/context.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";

type Wish = RouteInput<typeof buildTemplate>["body"];

/** Begins a build. Pressed again after a lost answer, it begins no second one. */
export function useBuild(onBegun: (operation: Operation) => void): Call<[Wish]> {
  const api = useApi();
  const fleet = useFleet();
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each build that has begun is followed by another request
  const idempotencyKey = useMemo(() => `build-${randomKey()}`, [turn]);
  return useCall(async (body: Wish) => {
    const key = `${idempotencyKey}-${JSON.stringify(body)}`.slice(0, 255);
    const { operation } = await api.call(buildTemplate, { body }, { idempotencyKey: key });
    fleet.put("operations", operation);
    setTurn((before) => before + 1);
    onBegun(operation);
  });
}

const fields = buildTemplate.body.properties;
type TextField = "node" | "storage" | "bridge";

/** Asks where a template is to be built; what is left empty is chosen. */
export function BuildDialog({ build, onClose }: { build: Call<[Wish]>; onClose: () => void }) {
  const [texts, setTexts] = useState<Record<TextField | "vmid", string>>({
    node: "",
    storage: "",
    bridge: "",
    vmid: "",
  });
  const set = (name: TextField | "vmid") => (event: { target: { value: string } }) => {
    const value = event.target.value.trim();
    setTexts((before) => ({ ...before, [name]: value }));
  };
  const wrong = (name: TextField) =>
    texts[name] !== "" && !Value.Check(fields[name], texts[name])
      ? "This is not a name that Proxmox takes."
      : undefined;
  const vmid = texts.vmid === "" ? undefined : Number(texts.vmid);
  const vmidWrong = vmid !== undefined && !Value.Check(fields.vmid, vmid) ? "A number from 100 on." : undefined;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (wrong("node") ?? wrong("storage") ?? wrong("bridge") ?? vmidWrong) return;
    if (await build.run(wishOf(texts))) onClose();
  };
  return (
    <Dialog title="Build a template" onClose={onClose}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        <p className="quiet">
          What you leave empty is chosen: where the present template is, or what the settings say.
        </p>
        <Field label="Node" className="mono-input" value={texts.node} wrong={wrong("node")} onChange={set("node")} />
        <Field
          label="Storage of its disk"
          className="mono-input"
          value={texts.storage}
          wrong={wrong("storage")}
          note="On ZFS, LVM-thin, Ceph or Btrfs, sandboxes are made in no time, and share its disk."
          onChange={set("storage")}
        />
        <Field
          label="Bridge"
          className="mono-input"
          value={texts.bridge}
          wrong={wrong("bridge")}
          note="It needs a DHCP server, and the way to Debian’s and Docker’s mirrors."
          onChange={set("bridge")}
        />
        <Field
          label="Id (VMID)"
          className="mono-input"
          inputMode="numeric"
          value={texts.vmid}
          wrong={vmidWrong}
          onChange={set("vmid")}
        />
        {build.failure && <FailureNote failure={build.failure} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={build.pending}>
            Build
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function wishOf({ node, storage, bridge, vmid }: Record<TextField | "vmid", string>): Wish {
  return {
    ...(node === "" ? {} : { node }),
    ...(storage === "" ? {} : { storage }),
    ...(bridge === "" ? {} : { bridge }),
    ...(vmid === "" ? {} : { vmid: Number(vmid) }),
  };
}
