/**
 * Tasks without an end are given up after minutes instead of hours: the fault is the same, and the clock of a sweep need
 * not pass an hour of a controller's life for each. Longer than any lock is left alone, or a call may be late.
 */
import { taskLimits } from "../../../src/sandboxes/task-watch.ts";

Object.assign(taskLimits, { ofStep: {}, ofOthers: 5 });
