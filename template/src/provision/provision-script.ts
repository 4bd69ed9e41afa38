import { compileStep } from "./compile-step.ts";
import { dockerStep, proveDockerStep } from "./docker-step.ts";
import type { FetchedPart, ProvisionOptions } from "./options.ts";
import { cleanStep, factsStep, signInStep } from "./sealing-steps.ts";
import { program, type Step } from "./shell.ts";
import { checkStep, packagesStep, servicesStep, userStep } from "./system-steps.ts";
import { toolSteps } from "./tool-steps.ts";

/**
 * The shell program that makes a template out of Debian 12 into which the payload was unpacked. It runs as root in a
 * running container or in a chroot, installs only what is missing, and may be run again. It prints lines that
 * `parseProvisionLine` reads, among those of the programs that it calls. After it has ended nobody can sign in but with
 * the bootstrap key.
 */
export function provisionScript(options: ProvisionOptions): string {
  return program(provisionSteps(options));
}

/** The program that installs nothing but what comes from elsewhere than Debian, where it can be had. */
export function fetchScript(optional: readonly FetchedPart[]): string {
  return program(fetchSteps(optional));
}

function fetchSteps(optional: readonly FetchedPart[]): readonly Step[] {
  return [dockerStep(optional.includes("docker")), ...toolSteps((name) => optional.includes(name))];
}

function provisionSteps(options: ProvisionOptions): readonly Step[] {
  return [
    checkStep,
    packagesStep,
    ...fetchSteps(options.optional),
    userStep,
    compileStep,
    servicesStep,
    proveDockerStep,
    signInStep(options.bootstrap),
    factsStep(options.version),
    cleanStep,
  ];
}
