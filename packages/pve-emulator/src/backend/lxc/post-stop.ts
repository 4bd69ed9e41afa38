/**
 * Told by LXC's monitor why a container has ended, this leaves the word beside its configuration. Its failure keeps LXC
 * from starting the container again by itself: a reboot must apply what is pending, as Proxmox VE does.
 */
export const postStopHook = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
folder=$(dirname "$LXC_CONFIG_FILE")
echo "$LXC_TARGET" >"$folder/ended"
[ "$LXC_TARGET" != reboot ]
`;
