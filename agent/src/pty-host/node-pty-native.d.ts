/**
 * The native half of node-pty, which its own wrapper hides. The wrapper cannot tell when input was written, and loses
 * the last output of a program that exits while its terminal is paused (its issue 726).
 */
declare module "node-pty/lib/utils.js" {
  export interface NativePty {
    fork(
      file: string,
      args: string[],
      env: string[],
      cwd: string,
      cols: number,
      rows: number,
      uid: number,
      gid: number,
      utf8: boolean,
      helperPath: string,
      onExit: (code: number, signal: number) => void,
    ): { fd: number; pid: number; pty: string };
    resize(fd: number, cols: number, rows: number, pixelWidth: number, pixelHeight: number): void;
  }
  export function loadNativeModule(name: "pty"): { dir: string; module: NativePty };
}
