// As the kernel sends JSON: whole numbers that JavaScript would round as their digits, and the places where they stand.
import type { Json, Op, Path } from "../../../js/protocol.ts";

/** `value` for the wire, a copy, and in `whole` the places of its large numbers, where there are any. */
export function wire<T>(value: T): { value: T; whole?: Path[] } {
  const whole: Path[] = [];
  const walk = (item: Json, path: Path): Json => {
    if (typeof item === "bigint") {
      whole.push(path);
      return String(item);
    }
    if (Array.isArray(item)) return item.map((each, index) => walk(each, [...path, index]));
    if (typeof item !== "object" || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, walk(each, [...path, key])]));
  };
  const sent = walk(value as Json, []) as T;
  return whole.length > 0 ? { value: sent, whole } : { value: sent };
}

export function wireOp(op: Op): Op {
  if (op[0] === "+") return [...op];
  const { value, whole } = wire(op[2]);
  return whole ? ["=", op[1], value, whole] : ["=", op[1], value];
}

/** A state as in a `snap` message and in the `snapshot` trait. */
export function wireState<S>(state: S): { state: S; whole?: Path[] } {
  const { value, ...more } = wire(state);
  return { state: value, ...more };
}
