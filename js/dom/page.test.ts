import { afterEach, describe, expect, it, vi } from "vitest";
import { Hub, pageWide } from "./page.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("what hangs on the page", () => {
  it("is made once, whichever copy of the code asks", async () => {
    const made = vi.fn(() => ({}));
    const first = pageWide("test/1", made);
    vi.resetModules();
    const other = await import("./page.ts");
    expect(other.pageWide).not.toBe(pageWide);
    expect(other.pageWide("test/1", made)).toBe(first);
    expect(other.pageWide("test/2", made)).not.toBe(first);
    expect(made).toHaveBeenCalledTimes(2);
  });
});

describe("a hub", () => {
  function hub() {
    const log: string[] = [];
    let tell = (_: string): void => {};
    const made = new Hub<string>((news) => {
      tell = news;
      log.push("start");
      return () => log.push("stop");
    });
    const listen = (name: string) => {
      const life = new AbortController();
      made.subscribe((news) => log.push(`${name} ${news}`), life.signal);
      return life;
    };
    return { made, log, listen, tell: (news: string) => tell(news) };
  }

  it("runs only while somebody listens", () => {
    const { log, listen, tell } = hub();
    const [a, b] = [listen("a"), listen("b")];
    tell("1");
    a.abort();
    tell("2");
    b.abort();
    listen("c").abort();
    expect(log).toEqual(["start", "a 1", "b 1", "b 2", "stop", "start", "stop"]);
  });

  it("takes nobody whose signal is over", () => {
    const { made, log } = hub();
    made.subscribe(() => {}, AbortSignal.abort());
    expect(log).toEqual([]);
  });

  it("tells the others when one fails", () => {
    const { made, log, listen, tell } = hub();
    const told = vi.fn();
    vi.stubGlobal("reportError", told);
    const fails = new AbortController();
    made.subscribe(() => {
      throw new Error("broken");
    }, fails.signal);
    const a = listen("a");
    tell("1");
    expect(log).toEqual(["start", "a 1"]);
    expect(told).toHaveBeenCalledOnce();
    fails.abort();
    a.abort();
  });
});
