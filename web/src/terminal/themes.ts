import type { ITheme } from "@xterm/xterm";

/** Sixteen colours that read well on a dark ground. */
const dark: ITheme = {
  background: "#101418",
  foreground: "#d6dce1",
  cursor: "#d6dce1",
  cursorAccent: "#101418",
  selectionBackground: "#2c4a52",
  black: "#20262c",
  red: "#e5736b",
  green: "#7fb77e",
  yellow: "#d3ad62",
  blue: "#6fa8dc",
  magenta: "#b891d6",
  cyan: "#62b8b0",
  white: "#c3cad0",
  brightBlack: "#6d7983",
  brightRed: "#f0938b",
  brightGreen: "#9acd97",
  brightYellow: "#e5c582",
  brightBlue: "#92c0ea",
  brightMagenta: "#ceb0e4",
  brightCyan: "#86d0c8",
  brightWhite: "#eef2f4",
};

/** Sixteen colours that read well on a light ground. */
const light: ITheme = {
  background: "#ffffff",
  foreground: "#1d2429",
  cursor: "#1d2429",
  cursorAccent: "#ffffff",
  selectionBackground: "#c5dfe2",
  black: "#1d2429",
  red: "#b3312b",
  green: "#33722f",
  yellow: "#865c00",
  blue: "#1f62a3",
  magenta: "#7d3f9c",
  cyan: "#0d706a",
  white: "#5d6972",
  brightBlack: "#6b7780",
  brightRed: "#c94a42",
  brightGreen: "#43873e",
  brightYellow: "#9a6d0c",
  brightBlue: "#3377ba",
  brightMagenta: "#9256b2",
  brightCyan: "#1b847d",
  brightWhite: "#39434a",
};

export const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

export function currentTheme(): ITheme {
  return prefersDark.matches ? dark : light;
}
