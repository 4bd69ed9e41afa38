import { type Entry, link, textFile } from "./entry.ts";
import { templatePaths } from "./paths.ts";
import { proveDocker } from "./prove-docker.ts";

/**
 * Docker's engine starts when something first speaks to its socket: twenty idle sandboxes would otherwise hold twenty
 * idle engines of 100 MB. Only a sandbox that has containers starts it at boot, so that those which shall restart do.
 */
const restartUnit = `[Unit]
Description=Berth: starts Docker where it has containers to restart
ConditionDirectoryNotEmpty=/var/lib/docker/containers
After=docker.socket

[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl start --no-block docker.service

[Install]
WantedBy=multi-user.target
`;

const restartUnitPath = "etc/systemd/system/berth-docker-restart.service";

/**
 * Logs of containers are bounded: Docker's default is not, and they fill the sandbox's disk. Images are kept by the
 * engine's own drivers, since those look which of them works: `overlay2`, or `vfs` where the sandbox's own root is an
 * overlay or an old ZFS. The containerd store of Docker 29 takes `overlayfs` unseen and fails when a container starts.
 */
const daemonConfiguration = {
  features: { "containerd-snapshotter": false },
  "log-driver": "json-file",
  "log-opts": { "max-size": "10m", "max-file": "3" },
};

/** Docker waits for the network at a boot: two minutes by default where there is none. */
const shortWait = `[Service]
ExecStart=
ExecStart=-/lib/systemd/systemd-networkd-wait-online --any --timeout=10
`;

/** How Docker is set up, whether or not a builder could install it. */
export function dockerFiles(): readonly Entry[] {
  return [
    textFile("etc/docker/daemon.json", `${JSON.stringify(daemonConfiguration, null, 2)}\n`),
    textFile(templatePaths.proveDocker, proveDocker, 0o755),
    textFile("etc/systemd/system/systemd-networkd-wait-online.service.d/berth.conf", shortWait),
    textFile(restartUnitPath, restartUnit),
    link("etc/systemd/system/multi-user.target.wants/berth-docker-restart.service", `/${restartUnitPath}`),
  ];
}
