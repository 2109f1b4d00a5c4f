/**
 * The mask guard: what in a line would tell the other side who its writer is.
 *
 * It warns and never forbids, so it may miss and it may be wrong; it asks nobody but this page.
 */

const EMAIL = /[\p{L}\p{N}._%+-]+\s?(?:@|\(at\)|\[at\])\s?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}/iu;
const PROFILE =
  /\b(?:(?:www\.)?(?:linkedin\.com\/in|github\.com|gitlab\.com|twitter\.com|x\.com|facebook\.com|instagram\.com|medium\.com|stackoverflow\.com\/users|t\.me|wa\.me|calendly\.com|leetcode\.com\/u)\/@?[\w.%-]+)/i;
const HANDLE = /(?:^|[\s(])@[a-z][\w.-]{2,}/i;
/** Candidates for a phone number; how many digits they hold decides. */
const PHONE = /(?:\+|\(|\b)\d[\d\s().-]{6,}\d/g;
/** Words that write a decorator in code, not a handle. */
const DECORATORS = new Set([
  "@property",
  "@staticmethod",
  "@classmethod",
  "@override",
  "@dataclass",
  "@param",
  "@return",
]);
/** Names that are ordinary words too: they count only with a capital, as in "I am Will". */
const ALSO_WORDS = new Set(
  "art bill chase dash dean drew faith frank grace grant hope jack jay june mark may miles pat ray rob rose sue will".split(
    " ",
  ),
);

export type Finding =
  | "an e-mail address"
  | "a phone number"
  | "a profile link"
  | "a handle"
  | "your name or employer";

/**
 * What this text gives away, each kind once.
 *
 * names: the writer's own name and employer, as the page knows them.
 */
export function findings(text: string, names: readonly string[] = []): Finding[] {
  const found: Finding[] = [];
  if (EMAIL.test(text)) found.push("an e-mail address");
  if (hasPhone(text)) found.push("a phone number");
  if (PROFILE.test(text)) found.push("a profile link");
  else if (!found.includes("an e-mail address") && hasHandle(text)) found.push("a handle");
  if (names.some((name) => holdsName(text, name))) found.push("your name or employer");
  return found;
}

function hasPhone(text: string): boolean {
  return [...text.matchAll(PHONE)].some(([candidate]) => isPhone(candidate));
}

/** Digits in groups as people write phone numbers; not a list of numbers, an address of a machine, a date. */
function isPhone(candidate: string): boolean {
  const groups = candidate.split(/\D+/).filter(Boolean);
  const digits = groups.join("").length;
  if (digits > 15) return false;
  if (candidate.startsWith("+")) return digits >= 8;
  if (/^\d{4}-\d{2}-\d{2}\b|^\d{1,3}(\.\d{1,3}){3}$/.test(candidate)) return false;
  const local = /^0\d{8,}$/.test(candidate);
  return (
    local ||
    (digits >= 9 && groups.length > 1 && groups.length <= 6 && groups.every(({ length }) => length <= 5))
  );
}

function hasHandle(text: string): boolean {
  const handle = HANDLE.exec(text)?.[0].trim().replace(/^\(/, "");
  return handle !== undefined && !DECORATORS.has(handle.toLowerCase());
}

/** Whether the text holds this name, or a part of it that is long enough to mean a person, as a word. */
function holdsName(text: string, name: string): boolean {
  const words = plain(text).split(" ");
  return plain(name)
    .split(" ")
    .filter((part) => part.length >= 3 && words.includes(part))
    .some((part) => !ALSO_WORDS.has(part) || hasCapital(text, part));
}

/** Inside a sentence; at its start a capital says nothing. */
function hasCapital(text: string, part: string): boolean {
  const written = part.charAt(0).toUpperCase() + part.slice(1);
  return new RegExp(`[\\p{L}\\p{N},'’]\\s+${written}\\b`, "u").test(text);
}

/** Lower case, accents off, everything that is no letter or digit a space. */
function plain(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
