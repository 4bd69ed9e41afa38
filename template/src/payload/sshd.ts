import { bootstrapSubsystem, guestPaths } from "@berth/protocol";

/**
 * Signing in is by key alone, for every user. The name sorts first: sshd takes the first value that it reads. Debian's
 * own configuration defines the subsystem of sftp.
 */
export const sshdFile = {
  path: "etc/ssh/sshd_config.d/00-berth.conf",
  contents: `# Keys alone open this sandbox: the fleet's and its users', for every user of it.
AuthorizedKeysFile /${guestPaths.authorizedKeys}
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
HostbasedAuthentication no
PermitEmptyPasswords no
PermitRootLogin prohibit-password

# The one host key is pinned by the fleet.
HostKey /${guestPaths.sshHostKey}
# The fleet's authority vouches for it; sshd goes without until that is there.
HostCertificate /${guestPaths.sshHostCertificate}

# The gateway brings all channels of a client over one connection.
MaxSessions 100

# Each sign-in would wait for the name of the other side.
UseDNS no
X11Forwarding no
# Who signs in may run anything, so a variable gives them nothing that they do not have.
AcceptEnv *
PrintMotd no
PrintLastLog no
ClientAliveInterval 30
ClientAliveCountMax 4

# Makes a fresh clone a sandbox of the fleet. Root's shell runs this line.
Subsystem ${bootstrapSubsystem} /bin/sh /${guestPaths.programs}/bootstrap.sh
`,
} as const;
