// The house: which room may know which. Imports go one way, those of types too; a module knows the door and itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";

/** A room may import the ones before it. */
const floors = [
  "build_id", // which build this is
  "protocol", // what travels
  "state", // what is so
  "dom", // elements, frames, the clipboard
  "words", // what is said of it
  "markdown", // prose
  "parts", // what a part looks like
  "source", // where runs come from
  "card", // the frame around them
  "load", // how modules come
  "core", // the door: what a module may import
  "widget",
];
/** The types of the modules: they name what any room has, and any room may name them. */
const contract = "contract";

const folder = new URL("./", import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".ts") && !/\.(test|config|d)\.ts$|^testing\.ts$/.test(name));

interface Import {
  file: string;
  /** Inside js/, or the name of a package. */
  target: string;
  forTypes: boolean;
}

function importsOf(file: string): Import[] {
  const source = readFileSync(new URL(file, folder), "utf8");
  const found = source.matchAll(/^(?:import|export)\s(?:([^;"']*?)\sfrom\s)?["']([^"']+)["'];/gm);
  return [...found].map(([, names = "", from = ""]) => ({
    file,
    target: from.startsWith(".") ? posix.join(posix.dirname(file), from) : from,
    forTypes: /^type\s/.test(names) || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(names),
  }));
}

const all = files.flatMap(importsOf);
const isOurs = ({ target }: Import) => target.endsWith(".ts");
const isModules = ({ file }: Import) => file.startsWith("modules/");

/** "card" for card/bar.ts, "modules/math" for modules/math/index.ts. */
function roomOf(file: string): string {
  const [first, second] = file.split("/");
  return first === "modules" ? `modules/${second}` : first!.replace(/\.ts$/, "");
}

/** A module is on no floor: only its types are named, and only by the contract. */
function isUpwards({ file, target, forTypes }: Import): boolean {
  if (target.startsWith("modules/")) return roomOf(file) !== contract || !forTypes;
  const [from, to] = [roomOf(file), roomOf(target)];
  return from !== contract && to !== contract && floors.indexOf(to) > floors.indexOf(from);
}

// Without a door each module carries its own copy of these.
const door = existsSync(new URL("core.ts", folder)) ? ["core"] : ["dom", "words", "state", "parts", "source"];

function isStranger({ file, target, forTypes }: Import): boolean {
  const room = roomOf(target);
  return !forTypes && room !== contract && !door.includes(room) && room !== roomOf(file);
}

function circles(next: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string, way: string[]): void => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file]);
    if (done.has(file)) return;
    done.add(file);
    for (const target of next.get(file) ?? []) visit(target, [...way, file]);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}

const words = ({ file, target }: Import) => `${file} imports ${target}`;

describe("the house", () => {
  const inside = all.filter((one) => isOurs(one) && !isModules(one));

  it("has a floor for every room", () => {
    const rooms = new Set(inside.map(({ file }) => roomOf(file)));
    expect([...rooms].filter((room) => room !== contract && !floors.includes(room))).toEqual([]);
    expect(inside.length).toBeGreaterThan(150);
  });

  it("imports one way, types too", () => {
    expect(inside.filter(isUpwards).map(words)).toEqual([]);
    expect(inside.some(({ forTypes }) => forTypes)).toBe(true);
    const control = (file: string, target: string) => isUpwards({ file, target, forTypes: true });
    expect(control("parts/call.ts", "card/bar.ts")).toBe(true);
    expect(control("card/bar.ts", "parts/call.ts")).toBe(false);
    expect(control("card/seat.ts", "modules/approval/index.ts")).toBe(true);
  });

  it("has no circle of files", () => {
    const next = files.map((file): [string, string[]] => {
      const targets = importsOf(file).filter((one) => isOurs(one) && !one.forTypes);
      return [file, targets.map(({ target }) => target)];
    });
    expect(circles(new Map(next))).toEqual([]);
    const control = new Map(Object.entries({ a: ["b"], b: ["c"], c: ["b"] }));
    expect(circles(control)).toEqual([["b", "c", "b"]]);
  });
});

describe("a module", () => {
  const theirs = all.filter((one) => isOurs(one) && isModules(one));

  it("knows the door, the contract, types, packages and itself", () => {
    const names = [...new Set(theirs.map(({ file }) => roomOf(file)))];
    expect(names).toEqual(expect.arrayContaining(["modules/approval"]));
    expect(theirs.filter(isStranger).map(words)).toEqual([]);
    const control = (target: string) =>
      isStranger({ file: "modules/approval/form.ts", target, forTypes: false });
    expect(control("card/bar.ts")).toBe(true);
    expect(control("modules/math/index.ts")).toBe(true);
    expect(control("modules/approval/field.ts")).toBe(false);
  });
});
