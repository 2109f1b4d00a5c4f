import { expect, it } from "vitest";
import { findings } from "../src/guard";

const NAMES = ["Anna Kowalczyk-Jürgens", "Initech GmbH", "Will Smith"];

it.each([
  ["write me: anna.k@example.org", "an e-mail address"],
  ["anna (at) example.org", "an e-mail address"],
  ["+49 151 234 56789", "a phone number"],
  ["call 0171-555-0199", "a phone number"],
  ["(555) 010-4477 evenings", "a phone number"],
  ["see linkedin.com/in/anna-k", "a profile link"],
  ["https://github.com/annak", "a profile link"],
  ["I am @annak_dev there", "a handle"],
  ["by the way, I am anna", "your name or employer"],
  ["at Initech we did it so", "your name or employer"],
  ["JURGENS is my last name", "your name or employer"],
  ["call me Will", "your name or employer"],
])("warns of %j", (text, finding) => {
  expect(findings(text, NAMES)).toContain(finding);
});

it.each([
  "what about 2147483647 - 1?",
  "n is up to 1000000000",
  "say [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
  "10.0.0.1 or 192.168.100.200",
  "on 2026-11-21 12:00",
  "use @property or @dataclass here",
  "a@b is matrix multiplication",
  "will this work? Will it be fast?",
  "I know the gmbh problem".replace("gmbh", "annals"),
  "github.com is down",
  "",
])("lets %j pass", (text) => {
  expect(findings(text, NAMES)).toEqual([]);
});

it("names each finding once", () => {
  expect(findings("anna@example.org, anna@example.com, +49 151 23456789", ["Bo"])).toEqual([
    "an e-mail address",
    "a phone number",
  ]);
});
