/** Versions of Docker's own packages for Debian 12 that were made for each other. */
export interface DockerRelease {
  /** Of `docker-ce` and `docker-ce-cli`. */
  readonly engine: string;
  /** Of `containerd.io`, which brings runc. */
  readonly containerd: string;
  readonly buildx: string;
  readonly compose: string;
}

/**
 * What to install, best first: the next one is taken where a container does not start with one. Why there are two is
 * told in template/README.md.
 */
export const dockerReleases: readonly DockerRelease[] = [
  {
    engine: "5:29.8.2-1~debian.12~bookworm",
    containerd: "2.3.6-1~debian.12~bookworm",
    buildx: "0.37.1-1~debian.12~bookworm",
    compose: "5.6.0-1~debian.12~bookworm",
  },
  // The last engine that takes the last containerd.io before runc's fix of CVE-2025-52881: that fix reads /proc in a way
  // that the AppArmor profile of a Proxmox host without lxc-pve 6.0.5-2 forbids.
  {
    engine: "5:29.5.3-1~debian.12~bookworm",
    containerd: "1.7.28-1~debian.12~bookworm",
    buildx: "0.34.1-1~debian.12~bookworm",
    compose: "5.1.4-1~debian.12~bookworm",
  },
];

export const dockerRepository = {
  url: "https://download.docker.com/linux/debian",
  /** Fingerprint of the key that signs it, <https://docs.docker.com/engine/install/debian/>. */
  key: "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
} as const;
