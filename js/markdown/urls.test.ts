import { describe, expect, it } from "vitest";
import { hostToShow, imageUrl, linkUrl, looksLikeAddress } from "./urls.ts";

describe("links", () => {
  it.each([
    ["https://a.test", "https://a.test/"],
    ["HTTP://A.test/x?y#z", "http://a.test/x?y#z"],
    ["mailto:a@b.test", "mailto:a@b.test"],
    ["https://a.test/b\\c", "https://a.test/b%5Cc"],
  ])("lets %s through", (href, url) => {
    expect(linkUrl(href)).toBe(url);
  });

  it.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://a.test/1",
    "ftp://a.test",
    "/api/shutdown",
    "//a.test",
    "#fragment",
    "relative",
    "https:\\\\evil.test",
    "",
  ])("keeps %j out", (href) => {
    expect(linkUrl(href)).toBeNull();
  });

  it("lets images come from the web only", () => {
    expect(imageUrl("https://a.test/i.png")?.host).toBe("a.test");
    for (const href of ["mailto:a@b.test", "data:image/png;base64,AA", "x.png"])
      expect(imageUrl(href)).toBeNull();
  });
});

describe("the host beside a link", () => {
  it.each([
    ["https://evil.test", "https://bank.test", "evil.test"],
    ["https://evil.test", "log in at bank.test now", "evil.test"],
    ["https://bank.test@evil.test", "bank.test", "evil.test"],
    ["https://bank.test.evil.test", "www.bank.test", "bank.test.evil.test"],
    ["https://apple.com", "\u0430pple.com", "apple.com"],
    ["mailto:a@evil.test", "a@bank.test", "evil.test"],
    ["https://evil.test", "bank.\u200btest", "evil.test"],
    ["https://evil.test", "b\u00adank.test", "evil.test"],
    ["https://evil.test", "bank\uff0etest", "evil.test"],
  ])("%s behind %s shows %s", (href, text, host) => {
    expect(hostToShow(href, text)).toBe(host);
  });

  it.each([
    ["https://a.test", "click here"],
    ["https://www.a.test/x", "a.test"],
    ["https://a.test/x", "https://A.test/x"],
    ["https://a.test", "version 1.2 of x"],
  ])("%s behind %s needs none", (href, text) => {
    expect(hostToShow(href, text)).toBeNull();
  });

  it("does not trust a title that looks like an address", () => {
    expect(looksLikeAddress("https://a.test")).toBe(true);
    expect(looksLikeAddress("see a.test")).toBe(true);
    expect(looksLikeAddress("The title, v1.2")).toBe(false);
  });
});
