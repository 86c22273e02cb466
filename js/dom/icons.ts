// Line icons on a 16 px grid, built node by node. They decorate: a word always stands beside them.

export type IconName =
  | "arrowDown"
  | "check"
  | "chevron"
  | "clock"
  | "code"
  | "copy"
  | "cross"
  | "file"
  | "info"
  | "spin"
  | "stop"
  | "tool";

const svg = "http://www.w3.org/2000/svg";

const paths: Record<IconName, string> = {
  arrowDown: "M8 3v10M4 9l4 4 4-4",
  check: "m3 8.5 3.2 3.2L13 5",
  chevron: "m6 4 4 4-4 4",
  clock: "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0ZM8 5v3l2 1.5",
  code: "m5.5 5-3 3 3 3M10.5 5l3 3-3 3",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  cross: "m4 4 8 8M12 4l-8 8",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  info: "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0ZM8 7.5v3.2M8 5.2v.2",
  spin: "M8 2.5A5.5 5.5 0 1 1 2.5 8",
  stop: "M5 4h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Z",
  tool: "M13.4 4.6a3.4 3.4 0 0 1-4.5 4.3l-4.4 4.4a1.3 1.3 0 0 1-1.8-1.8l4.4-4.4a3.4 3.4 0 0 1 4.3-4.5L9.3 4.7l.3 1.7 1.7.3z",
};

export function icon(name: IconName): SVGSVGElement {
  return drawing(name, paths[name]);
}

/** An icon that only a module has: its name and the path of its line. */
export function drawing(name: string, line: string): SVGSVGElement {
  const element = document.createElementNS(svg, "svg");
  element.setAttribute("viewBox", "0 0 16 16");
  element.setAttribute("aria-hidden", "true");
  element.setAttribute("focusable", "false");
  element.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(svg, "path");
  path.setAttribute("d", line);
  element.append(path);
  return element;
}
