/**
 * Ciphers of the gateway, to both sides. Those with GCM take a third of the others' time here, and OpenSSH's client
 * prefers nearly any other where it is offered; every client of the last ten years has them. No compression: what it
 * takes to unpack is for the sender to choose.
 */
export const sshAlgorithms = {
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
  compress: ["none"],
} as const;
