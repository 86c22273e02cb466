import { expect, it } from "vitest";
import { decodeEntities } from "./entities.ts";

it.each([
  ["plain & simple", "plain & simple"],
  ["&amp;&lt;&gt;&quot;", '&<>"'],
  ["&#65;&#x42;&#X43;", "ABC"],
  ["&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"],
  ["&#x1F600;", "\u{1f600}"],
  ["&amp;lt;", "&lt;"],
  ["&unknown; &copy &;", "&unknown; &copy &;"],
  ["&constructor;&toString;", "&constructor;&toString;"],
  ["&#12345678;", "&#12345678;"],
])("decodes %j", (text, decoded) => {
  expect(decodeEntities(text)).toBe(decoded);
});
