import { homedir, hostname } from "node:os";
import { join } from "node:path";

/** What the command takes from its surroundings, read once. */
export interface Environment {
  /** Berth's own folder of settings: `$XDG_CONFIG_HOME/berth`. */
  readonly configDir: string;
  /** What it remembers of syncs: `$XDG_STATE_HOME/berth`. */
  readonly stateDir: string;
  readonly home: string;
  readonly hostname: string;
  /** `BERTH_URL` and `BERTH_TOKEN`: a controller without a profile. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** `BERTH_PROFILE`. */
  readonly profile: string | undefined;
  /** `BERTH_CA_FILE` and `BERTH_FINGERPRINT`: whom to believe at `BERTH_URL`. */
  readonly caFile: string | undefined;
  readonly fingerprint: string | undefined;
  /** `NO_COLOR` is set, or the terminal is a dumb one. */
  readonly plain: boolean;
  /** A display is there, or this is not Linux: a browser may be opened. */
  readonly hasBrowser: boolean;
  /** `BROWSER`. */
  readonly browser: string | undefined;
}

/** Reads the environment; an empty variable counts as none. */
export function readEnvironment(variables: NodeJS.ProcessEnv, platform: NodeJS.Platform): Environment {
  const value = (name: string) => variables[name] || undefined;
  const home = value("HOME") ?? homedir();
  return {
    configDir: join(value("XDG_CONFIG_HOME") ?? join(home, ".config"), "berth"),
    stateDir: join(value("XDG_STATE_HOME") ?? join(home, ".local", "state"), "berth"),
    home,
    hostname: hostname(),
    url: value("BERTH_URL"),
    token: value("BERTH_TOKEN"),
    profile: value("BERTH_PROFILE"),
    caFile: value("BERTH_CA_FILE"),
    fingerprint: value("BERTH_FINGERPRINT"),
    plain: value("NO_COLOR") !== undefined || value("TERM") === "dumb",
    hasBrowser: platform !== "linux" || (value("DISPLAY") ?? value("WAYLAND_DISPLAY")) !== undefined,
    browser: value("BROWSER"),
  };
}
