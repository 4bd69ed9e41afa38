import type { NetworkCard } from "../backend.ts";

/** A file that is written into a container's root. */
export interface GuestFile {
  /** Relative to the root. */
  readonly path: string;
  readonly contents: string;
  readonly mode: number;
  /**
   * `part`: only what is between two lines that mark it is ours, the rest is the container's. `fresh`: written into a
   * disk that was never booted. `password`: the contents become root's password.
   */
  readonly kind?: "part" | "fresh" | "password";
}

export interface GuestSettings {
  readonly hostname: string;
  readonly cards: readonly NetworkCard[];
  readonly nameservers: readonly string[];
  readonly searchDomain: string | undefined;
}

/** What Proxmox VE writes into a container at every start: its name, its network, no machine-id if it is new. */
export function guestFilesOf(settings: GuestSettings): GuestFile[] {
  const { hostname, cards, nameservers, searchDomain } = settings;
  const short = hostname.split(".")[0] ?? hostname;
  const names = short === hostname ? hostname : `${hostname} ${short}`;
  const resolver = [
    ...(searchDomain === undefined ? [] : [`search ${searchDomain}`]),
    ...nameservers.map((address) => `nameserver ${address}`),
  ];
  return [
    { path: "etc/hostname", contents: `${short}\n`, mode: 0o644 },
    partOf("etc/hosts", ["127.0.0.1 localhost", "::1 localhost", `127.0.1.1 ${names}`]),
    ...(resolver.length > 0 ? [partOf("etc/resolv.conf", resolver)] : []),
    { path: "etc/machine-id", contents: "uninitialized\n", mode: 0o444, kind: "fresh" },
    ...cards.map((card) => ({
      path: `etc/systemd/network/${card.name}.network`,
      contents: networkUnit(card),
      mode: 0o644,
    })),
  ];
}

function partOf(path: string, lines: readonly string[]): GuestFile {
  return { path, contents: `${lines.join("\n")}\n`, mode: 0o644, kind: "part" };
}

/** A card as systemd-networkd configures it. */
function networkUnit(card: NetworkCard): string {
  const dhcp = { both: "yes", four: "ipv4", six: "ipv6", none: "no" };
  const [four, six] = [card.ip === "dhcp", card.ip6 === "dhcp"];
  const lines = [
    "# Written by Proxmox at every start.",
    "[Match]",
    `Name=${card.name}`,
    "",
    "[Network]",
    `DHCP=${four ? (six ? dhcp.both : dhcp.four) : six ? dhcp.six : dhcp.none}`,
    `IPv6AcceptRA=${card.ip6 === "auto" ? "true" : "false"}`,
  ];
  for (const address of [card.ip, card.ip6]) if (address?.includes("/")) lines.push(`Address=${address}`);
  for (const gateway of [card.gateway, card.gateway6]) if (gateway !== undefined) lines.push(`Gateway=${gateway}`);
  // The container is known by its MAC: a copy with the same machine-id must not get the source's address.
  lines.push("", "[DHCPv4]", "ClientIdentifier=mac", "UseHostname=false");
  return `${lines.join("\n")}\n`;
}

const separator = "\0";

/** Files as the writer reads them from its standard input. */
export function packGuestFiles(files: readonly GuestFile[]): string {
  const fields = files.flatMap(({ path, contents, mode, kind }) => [kind ?? "whole", path, mode.toString(8), contents]);
  return fields.map((field) => field + separator).join("");
}

/**
 * Writes files below its working directory, which becomes its root first: whatever links a container left there lead
 * nowhere else. Run as the containers' root, it has no rights on the machine either. What cannot be written, on a full
 * disk for example, is complained about and left as it was: the container must start all the same.
 */
export const guestFileWriter = String.raw`
use strict;
use Fcntl;
chroot(".") or die "chroot: $!\n";
chdir("/") or die "chdir: $!\n";
local $/;
my @fields = split(/\0/, scalar(<STDIN>) // "", -1);
while (@fields >= 4) {
  my ($kind, $path, $mode, $contents) = splice(@fields, 0, 4);
  next if $kind eq "fresh" && !$ENV{FRESH};
  my $old = "";
  if (open(my $file, "<", "/$path")) { $old = <$file> // ""; close($file); }
  if ($kind eq "part") {
    my ($begin, $end) = ("# --- BEGIN PVE ---\n", "# --- END PVE ---\n");
    my $rest = $old;
    $rest =~ s/^\Q$begin\E.*?^\Q$end\E//ms;
    $contents = "$begin$contents$end$rest";
  }
  if ($kind eq "password") {
    my @letters = ("a" .. "z", "A" .. "Z", 0 .. 9);
    my $hash = crypt($contents, '$6$' . join("", map { $letters[rand(@letters)] } 1 .. 16) . '$');
    ($contents = $old) =~ s/^root:[^:]*:/root:$hash:/m;
  }
  next if $contents eq $old;
  my $folder = "";
  my @parts = split(m{/}, $path);
  pop @parts;
  for (@parts) { $folder .= "/$_"; mkdir($folder, $_ eq ".ssh" ? 0700 : 0755); }
  my $draft = "/$path.pve-new";
  unlink($draft);
  my $good = sysopen(my $file, $draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  $good &&= (print $file $contents);
  $good &&= close($file);
  $good &&= chmod(oct($mode), $draft);
  $good &&= rename($draft, "/$path");
  next if $good;
  warn "/$path: $!\n";
  unlink($draft);
}
`;
