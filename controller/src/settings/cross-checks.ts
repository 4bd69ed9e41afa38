import type { VariableName, Variables } from "./schema.ts";

/** What is wrong with settings that are right one by one, a sentence each. */
export function checkTogether(variables: Variables): string[] {
  return [...checkUrls(variables), ...checkProxmox(variables), ...checkClaude(variables), ...checkPorts(variables)];
}

function checkUrls(variables: Variables): string[] {
  const problems: string[] = [];
  for (const name of ["BERTH_PUBLIC_URL", "BERTH_AGENT_URL", "ANTHROPIC_BASE_URL"] as const) {
    const value = variables[name];
    if (value !== undefined && !URL.canParse(value))
      problems.push(`${name} is ${JSON.stringify(value)}, but it must be a URL.`);
  }
  const url = variables.BERTH_PUBLIC_URL;
  if (url !== undefined && URL.canParse(url) && !isOrigin(new URL(url))) {
    problems.push(
      `BERTH_PUBLIC_URL is ${JSON.stringify(url)}, but the console lives at the root of its address: leave out the path, user and query.`,
    );
  }
  // Node names the password in none of its messages, and neither does this sentence.
  if (variables.DATABASE_URL !== undefined && !URL.canParse(variables.DATABASE_URL)) {
    problems.push("DATABASE_URL is not a URL: special characters in its password must be percent-encoded.");
  }
  return problems;
}

function isOrigin(url: URL): boolean {
  return url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "" && url.password === "";
}

function checkProxmox(variables: Variables): string[] {
  const needed = ["PROXMOX_TOKEN_ID", "PROXMOX_TOKEN_SECRET"] as const;
  if (variables.PROXMOX_URL !== undefined) {
    return needed
      .filter((name) => variables[name] === undefined)
      .map(
        (name) =>
          `PROXMOX_URL is set and ${name} is not: Berth signs in to Proxmox with an API token, so set both parts of it.`,
      );
  }
  const strays = [...needed, "PROXMOX_FINGERPRINT" as const].filter((name) => variables[name] !== undefined);
  return strays.map(
    (name) =>
      `${name} is set and PROXMOX_URL is not: set PROXMOX_URL too, or leave ${name} out to use the bundled emulator.`,
  );
}

function checkClaude(variables: Variables): string[] {
  const names: VariableName[] = ["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"];
  const set = names.filter((name) => variables[name] !== undefined);
  return set.length > 1 ? [`${set.join(" and ")} are set, but Claude uses one credential: keep one of them.`] : [];
}

function checkPorts(variables: Variables): string[] {
  const ports: [VariableName, number][] = [
    ["BERTH_PORT", variables.BERTH_PORT ?? 7400],
    ["BERTH_AGENT_PORT", variables.BERTH_AGENT_PORT ?? 7401],
    ["BERTH_SSH_PORT", variables.BERTH_SSH_PORT ?? 7422],
  ];
  return ports.flatMap(([name, port], index) =>
    ports
      .slice(index + 1)
      .filter(([, other]) => port !== 0 && other === port)
      .map(([other]) => `${name} and ${other} are both ${port}: give each a port of its own.`),
  );
}
