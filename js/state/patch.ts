// Applies the two operations of the protocol to a state, in place.
import type { Json, Op, Path } from "../protocol.ts";
import { misfit, withWhole } from "./exact.ts";

type Container = Json[] | { [key: string]: Json };

/**
 * Applies `ops` to `state` and returns it. Throws PatchError when a path does not fit, which means that this page no
 * longer has what the kernel has; the state is then of no further use.
 */
export function applyOps<T>(state: T, ops: readonly Op[]): T {
  for (const op of ops) {
    const path = op[1];
    const holder = walk(state as Json, path);
    const key = path.at(-1);
    if (key === undefined) throw misfit(path);
    put(
      holder,
      key,
      op[0] === "=" ? withWhole(op[2], op[3]) : appended(get(holder, key, path), op[2], path),
      path,
    );
  }
  return state;
}

function walk(root: Json, path: Path): Container {
  let here = root;
  for (let i = 0; i < path.length - 1; i++) here = get(asContainer(here, path), path[i]!, path);
  return asContainer(here, path);
}

function asContainer(value: Json, path: Path): Container {
  if (typeof value !== "object" || value === null) throw misfit(path);
  return value;
}

function get(holder: Container, key: string | number, path: Path): Json {
  // Own properties only: argument names are the model's words, and "__proto__" is one of them.
  if (!Object.hasOwn(holder, key)) throw misfit(path);
  return (holder as { [key: string]: Json })[key]!;
}

function put(holder: Container, key: string | number, value: Json, path: Path): void {
  if (Array.isArray(holder)) {
    if (typeof key !== "number" || !(key >= 0 && key <= holder.length)) throw misfit(path);
    holder[key] = value;
  } else if (key === "__proto__") {
    Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    holder[key] = value;
  }
}

function appended(old: Json, text: string, path: Path): string {
  if (typeof old !== "string" || typeof text !== "string") throw misfit(path);
  return old + text;
}
