import type { ContainerSetting, Drift, RouteInput, Sandbox, updateSandbox } from "@berth/protocol";

/** What can be changed of a sandbox that lives. */
export type Change = Pick<
  RouteInput<typeof updateSandbox>["body"],
  "name" | "cores" | "memoryMiB" | "diskGiB" | "onBoot" | "protection" | "sleepAfterMinutes"
>;

const changeable = ["name", "cores", "memoryMiB", "diskGiB", "onBoot", "protection", "sleepAfterMinutes"] as const;

/** What of the edits differs from what the sandbox has. */
export function changeOf(sandbox: Sandbox, edits: Change): Change {
  const change = { ...edits };
  for (const name of changeable) if (change[name] === sandbox[name]) delete change[name];
  return change;
}

/** The names of settings in the middle of a sentence. */
export const settingWords: Record<ContainerSetting, string> = {
  cores: "cores",
  memoryMiB: "memory",
  diskGiB: "disk",
  onBoot: "start with its node",
  protection: "protection",
};

/** A setting's value: `4`, `2048 MiB`, `on`. */
export function valueText(setting: ContainerSetting, value: number | boolean): string {
  switch (setting) {
    case "cores":
      return value === 0 ? "all that its node has" : String(value);
    case "memoryMiB":
      return `${value} MiB`;
    case "diskGiB":
      return `${value} GiB`;
    case "onBoot":
    case "protection":
      return value ? "on" : "off";
  }
}

/** The change that takes over what somebody has set in Proxmox; what Berth has no word for is left. */
export function takenOver(drift: readonly Drift[]): Change {
  return changeTo(drift.filter(({ setting, found }) => setting !== "cores" || found !== 0).map(withValue("found")));
}

/** The change that sets back what somebody has changed in Proxmox; a disk that has grown cannot be. */
export function setBack(drift: readonly Drift[]): Change {
  return changeTo(drift.filter((one) => !isGrown(one)).map(withValue("wanted")));
}

function isGrown({ setting, wanted, found }: Drift): boolean {
  return setting === "diskGiB" && Number(found) > Number(wanted);
}

function withValue(side: "wanted" | "found") {
  return (drift: Drift) => ({ setting: drift.setting, value: drift[side] });
}

function changeTo(settings: readonly { setting: ContainerSetting; value: number | boolean }[]): Change {
  const change: Change = {};
  for (const { setting, value } of settings) {
    if (setting === "onBoot" || setting === "protection") change[setting] = value === true;
    else change[setting] = Number(value);
  }
  return change;
}
