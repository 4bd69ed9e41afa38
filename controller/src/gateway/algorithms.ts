/**
 * Ciphers of the gateway, to both sides. GCM encrypts and authenticates in one pass of OpenSSL; OpenSSH's client prefers
 * nearly any other where it is offered, and those take more steps a packet here. No compression: how much there is to
 * unpack would be for the sender to choose.
 */
export const sshAlgorithms = {
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
  compress: ["none"],
} as const;
