import type { Step } from "./shell.ts";

/** A program that Debian 12 has no package of: one executable in a gzipped tarball of a release on GitHub. */
interface ReleasedTool {
  readonly name: "lazygit" | "lazydocker";
  readonly version: string;
  /** Names of the tarballs and their SHA-256, by the machine that they are for (`uname -m`). */
  readonly archives: Readonly<Record<"x86_64" | "aarch64", readonly [file: string, sha256: string]>>;
}

const tools: readonly ReleasedTool[] = [
  {
    name: "lazygit",
    version: "0.66.0",
    archives: {
      x86_64: [
        "lazygit_0.66.0_linux_x86_64.tar.gz",
        "5b45541155d20bd32bf2cc5ab5b7e3d91c2eebf0fb1242281350edc27d59d2b7",
      ],
      aarch64: [
        "lazygit_0.66.0_linux_arm64.tar.gz",
        "9a4fc4656897ac9f7877b835473ce1a75620cc267f554c57fc4ff266407f3257",
      ],
    },
  },
  {
    name: "lazydocker",
    version: "0.25.2",
    archives: {
      x86_64: [
        "lazydocker_0.25.2_Linux_x86_64.tar.gz",
        "0d9dbfc26068b218e7ed84b104748cadc6e3cf733c0afd35465306fb39b9523c",
      ],
      aarch64: [
        "lazydocker_0.25.2_Linux_arm64.tar.gz",
        "005c38b685aaa557e7d646d83a3dadb5024340eeed8c6a2e1949eee6f530de23",
      ],
    },
  },
];

const functions = String.raw`
# Name, version, file and SHA-256 of a release on GitHub: 1 when it cannot be fetched.
install_release() {
  case " $("/usr/local/bin/$1" --version 2>/dev/null | tr ',\n' '  ')" in *"ersion=$2 "* | *"ersion: $2 "*) return 0 ;; esac
  folder=$(mktemp -d)
  url="https://github.com/jesseduffield/$1/releases/download/v$2/$3"
  if ! curl -fsSL --connect-timeout 5 --max-time 300 -o "$folder/archive" "$url"; then
    rm -rf "$folder"
    return 1
  fi
  echo "$4  $folder/archive" | sha256sum --check --quiet || die "$url is not the file that Berth knows"
  tar -xzf "$folder/archive" -C "$folder" "$1" || die "$url holds no $1"
  install -m 755 "$folder/$1" "/usr/local/bin/$1" || die "/usr/local/bin/$1 cannot be written"
  rm -rf "$folder"
}
`;

/** Installs the programs that come from GitHub. */
export function toolSteps(optional: (name: ReleasedTool["name"]) => boolean): readonly Step[] {
  return tools.map(({ name, version, archives }) => ({
    name,
    functions,
    script: `
case $(uname -m) in
  x86_64) set -- ${name} ${version} ${archives.x86_64.join(" ")} ;;
  aarch64) set -- ${name} ${version} ${archives.aarch64.join(" ")} ;;
esac
install_release "$@" && return 0
${optional(name) ? `say_skipped ${name} 'https://github.com cannot be reached'` : `die 'https://github.com cannot be reached: ${name} is installed from there'`}
`,
  }));
}
